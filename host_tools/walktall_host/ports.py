"""Which ports a clip may be on, and the clips that answer there.

CircuitPython names its two serial interfaces in their USB descriptors, console and data; ``adafruit_board_toolkit``
reads the names on Linux, macOS and Windows. Where a system hides them, the boards that Walktall runs on are known by
vendor and product, and a HELLO decides.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .client import Client, Hello
from .errors import BadInput, NoDevice, NotAClip, TransferFailed, WalktallError
from .names import Names
from .terminal import safe
from .transport import SerialPort

#: (USB vendor, product) of the supported boards under CircuitPython. Source: their pages on circuitpython.org.
BOARDS = {
    (0x2886, 0x0045): "Seeed XIAO nRF52840 Sense",
    (0x239A, 0x00CF): "Arduino Nano RP2040 Connect",
    (0x239A, 0x80F4): "Raspberry Pi Pico",
}
#: What a port is to us.
DATA = "data"  # CircuitPython's second serial interface: where a clip talks
CONSOLE = "console"  # its first one: Python's prompt; never written to
POSSIBLE = "possible"  # a board that may be a clip, and the system does not say which of its ports this is
OTHER = "other"


_UDEV = Path(__file__).with_name("70-walktall.rules")


def udev_rule() -> str:
    """The rule for Linux: ports for whoever sits there, and ModemManager kept away."""
    return _UDEV.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Found:
    """One serial port of this computer; every text is safe to show."""

    port: str
    description: str
    role: str
    usb: str
    serial_number: str


def list_ports() -> list[Found]:
    """Every serial port of this computer, those on which a clip may be first."""
    from adafruit_board_toolkit import circuitpython_serial
    from serial.tools import list_ports as system_ports

    data = {info.device for info in circuitpython_serial.data_comports()}
    consoles = {info.device for info in circuitpython_serial.repl_comports()}
    found = []
    for info in sorted(system_ports.comports(), key=lambda info: str(info.device)):
        board = BOARDS.get((info.vid or 0, info.pid or 0))
        if info.device in data:
            role = DATA
        elif info.device in consoles:
            role = CONSOLE
        elif board is not None:
            role = POSSIBLE
        else:
            role = OTHER
        found.append(
            Found(
                port=str(info.device),
                description=safe(board or info.product or info.description or ""),
                role=role,
                usb=f"{info.vid:04x}:{info.pid:04x}" if info.vid is not None and info.pid is not None else "",
                serial_number=safe(info.serial_number or ""),
            )
        )
    order = (DATA, POSSIBLE, CONSOLE, OTHER)
    return sorted(found, key=lambda port: order.index(port.role))


def candidates(found: list[Found]) -> list[Found]:
    """Ports worth a HELLO: those known for data; without any, those of a known board."""
    return [port for port in found if port.role == DATA] or [port for port in found if port.role == POSSIBLE]


@dataclass
class Clip:
    """A clip that has answered on an open port."""

    client: Client
    hello: Hello

    @property
    def port(self) -> str:
        return self.client.port.name


@contextmanager
def open_clip(port: str, names: Names | None = None) -> Iterator[Clip]:
    """The clip on that port, greeted; the port is closed at the end.

    :raises NoDevice: the port cannot be opened, or no clip answers there
    """
    with SerialPort(port) as opened:
        yield _greet(Client(opened), names or Names.of_store())


def _greet(client: Client, names: Names) -> Clip:
    """The clip that answers, called as the walker calls it."""
    hello = client.hello()
    hello.nickname = names.nickname(hello.device_id)
    return Clip(client, hello)


def _say_nothing(fault: WalktallError) -> None:
    """For who wants to know nothing of ports that failed."""


def each_clip(
    port: str | None,
    device: str | None,
    tell: Callable[[WalktallError], None] = _say_nothing,
    store: Path | None = None,
) -> Generator[Clip]:
    """One after the other, every clip that is plugged in (or the one that is asked for); each is closed before the
    next.

    :param port: this port alone
    :param device: the clip that is called so, by its nickname, its wearer or how its id begins
    :param tell: told of each port on which a clip may be and could not be greeted, when another one was
    :param store: where names are kept, if not in the usual store
    :raises NoDevice: there is none; the text says what to do
    """
    called = Names.of_store(store)

    def is_meant(clip: Clip) -> bool:
        return device is None or called.means(clip.hello.device_id, device)

    if port is not None:
        with open_clip(port, called) as clip:
            if not is_meant(clip):
                raise NoDevice(f"the clip on {safe(port)} is {clip.hello.name}, not {safe(device or '')}")
            yield clip
        return
    found = list_ports()
    troubles: list[WalktallError] = []
    names = []
    reached = False
    for each in candidates(found):
        try:
            opened = SerialPort(each.port)
        except NoDevice as fault:
            troubles.append(fault)
            continue
        with opened:
            try:
                clip = _greet(Client(opened), called)
            except (NotAClip, TransferFailed) as fault:
                troubles.append(fault)
                continue
            names.append(clip.hello.name)
            if is_meant(clip):
                reached = True
                yield clip
    if not reached:
        raise _none_found(found, troubles, names, device)
    for trouble in troubles:
        if not isinstance(trouble, NotAClip):
            tell(trouble)


@contextmanager
def one_clip(port: str | None, device: str | None) -> Iterator[Clip]:
    """The one clip that is meant: for what changes a clip.

    :raises BadInput: several are plugged in, and nothing says which
    """
    if port is None:
        found = [(clip.port, clip.hello.name) for clip in each_clip(None, device)]
        if len(found) > 1:
            names = ", ".join(f"{name} on {safe(at)}" for at, name in found)
            raise BadInput(f"several clips are plugged in ({names}): say which with --device")
        port = found[0][0]
    with closing(each_clip(port, device)) as clips:
        yield next(clips)


def _none_found(
    found: list[Found], troubles: list[WalktallError], names: list[str], device: str | None
) -> WalktallError:
    """What the walker has to know when no clip was reached."""
    if names:
        return NoDevice(f"clip {safe(device or '')} is not plugged in; there is {', '.join(names)}")
    if troubles:
        return troubles[0]
    if any(port.role == CONSOLE for port in found):
        return NoDevice("a CircuitPython board is plugged in, without a data port: is Walktall's firmware on it?")
    return NoDevice("no clip found: plug it in with a cable that carries data, wait a few seconds, try again")
