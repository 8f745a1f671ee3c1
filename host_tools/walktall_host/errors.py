"""What can go wrong, and the exit status that says so to scripts.

The tree of them::

    WalktallError                      1
    ├── BadInput                       2   wrong use, or something given that cannot be used
    │   └── StoreUnusable              2   the store on this computer cannot be opened, read or written
    ├── NoDevice                       3   no clip could be reached
    │   ├── NoSuchPort                 3
    │   ├── PortForbidden              3   this user may not open the port
    │   ├── PortTaken                  3   another program holds it
    │   └── NotAClip                   3   something is there, and it is no Walktall clip
    ├── TransferFailed                 4   a clip was there, and then it went wrong
    │   ├── ConnectionLost             4   unplugged, or the port broke
    │   ├── NoAnswer                   4   silence, after every repetition
    │   ├── BadReply                   4   an answer that no honest clip gives
    │   └── Refused                    4   the clip said no, and why
    └── Ended                        130   by Ctrl-C, where that is the ordinary end

130 is Ctrl-C. Each message is one line, for the walker: what happened and, where something can be done, what.
"""

#: Exit status of a command that Ctrl-C ended.
CANCELLED = 130


class WalktallError(Exception):
    """The root; the text is one line for the walker."""

    exit_code = 1


class BadInput(WalktallError):
    """Wrong use, or something given that cannot be used."""

    exit_code = 2


class StoreUnusable(BadInput):
    """The store cannot be opened, read or written."""


class NoDevice(WalktallError):
    """No clip could be reached."""

    exit_code = 3


class NoSuchPort(NoDevice):
    """No port of that name, or nobody listens there."""


class PortForbidden(NoDevice):
    """The port is there, but not for this user."""


class PortTaken(NoDevice):
    """Another program holds the port."""


class NotAClip(NoDevice):
    """What is on the port does not answer as a clip does."""


class TransferFailed(WalktallError):
    """A clip was there, and then it went wrong."""

    exit_code = 4


class ConnectionLost(TransferFailed):
    """The port broke while it was used."""


class NoAnswer(TransferFailed):
    """No answer came, though it was asked more than once."""


class BadReply(TransferFailed):
    """An answer that no honest clip gives."""


class Refused(TransferFailed):
    """The clip answered with an error.

    :param int code: one of ``walktall.wire.E_...``
    """

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class Ended(WalktallError):
    """Ctrl-C ended what goes on until then."""

    exit_code = CANCELLED
