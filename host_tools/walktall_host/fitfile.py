"""A walk as a FIT activity: walking, cadence, and the clip's own figures as developer fields. No place is claimed.

FIT counts strides, a pair of steps: ``cadence`` is half of steps a minute, the odd one in ``fractional_cadence``.
Without a trace the activity has its summary and no seconds. Needs the extra ``[fit]`` (fit-tool).

Source: Garmin's FIT SDK, activity files: file_id, developer data, events, records, lap, session, activity, so ordered.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from walktall import events, records

from . import dates
from .columns import name_of, seconds_in
from .errors import BadInput
from .figures import figures_of
from .store import Session

if TYPE_CHECKING:
    from .trace import Row

#: Of the developer fields; drawn once, for ever: it is how a reader knows them again.
APPLICATION_ID = bytes.fromhex("57616c6b74616c6c0c3f9a5d21e64b70")
_FIT_EPOCH_UNIX_S = 631065600  # 1989-12-31 00:00 UTC
_CLASS_SIZE = 12
#: (name, unit, FIT base type, bytes) of the developer fields of each second, and of the whole walk.
RECORD_FIELDS = (("pitch", "deg", "FLOAT32", 4), ("roll", "deg", "FLOAT32", 4), ("posture", "", "STRING", _CLASS_SIZE))
SESSION_FIELDS = (
    ("upright_share", "%", "FLOAT32", 4),
    ("judged_time", "s", "UINT32", 4),
    ("buzzes", "buzzes", "UINT16", 2),
    ("mean_pitch", "deg", "FLOAT32", 4),
)


def missing() -> str:
    """What to do where fit-tool is not installed; '' where it is."""
    try:
        import fit_tool  # type: ignore[import-untyped]  # noqa: F401
    except ImportError:
        return "FIT files need an extra: pipx inject walktall 'fit-tool>=0.9' (or pip install 'walktall[fit]')"
    return ""


def encode(session: Session, rows: Sequence["Row"]) -> bytes:
    """The bytes of the FIT file.

    :raises BadInput: the walk is undated, or fit-tool is not there
    """
    told = missing()
    if told:
        raise BadInput(told)
    begin = dates.begin_of(session)
    if not begin.utc_s:
        raise BadInput(f"session {session.number} is undated, and a FIT file needs a date")
    return _File(begin.utc_s + int(records.EPOCH_UNIX_S), session).build(rows)


class _File:
    """One activity, message by message."""

    def __init__(self, begin_unix_s: int, session: Session) -> None:
        from fit_tool.fit_file_builder import FitFileBuilder  # type: ignore[import-untyped]

        self._builder: Any = FitFileBuilder(strict=True)
        self._begin_s = begin_unix_s
        self._session = session
        self._fields: dict[str, tuple[int, str, str, int]] = {}

    def build(self, rows: Sequence["Row"]) -> bytes:
        session = self._session
        self._head()
        lasts_s = session["wear_s"]
        self._event(0, "START")
        timed = [(t_s, row) for row in rows if (t_s := seconds_in(session, row)) is not None and t_s >= 0]
        # A trace goes on over seconds that the record cut off its end; the activity ends with the later of the two.
        lasts_s = max(lasts_s, timed[-1][0] + 1 if timed else 0)
        for t_s, row in timed:
            self._second(t_s, row)
        if not timed:
            cadence = session["cadence_mean_spm"]
            for t_s in (0, lasts_s):
                self._record(t_s, cadence, ())
        self._event(lasts_s, "STOP_ALL")
        self._tail(lasts_s)
        data: bytes = self._builder.build_bytes()
        return data

    def _head(self) -> None:
        from fit_tool.base_type import BaseType  # type: ignore[import-untyped]
        from fit_tool.profile.messages.developer_data_id_message import (  # type: ignore[import-untyped]
            DeveloperDataIdMessage,
        )
        from fit_tool.profile.messages.field_description_message import (  # type: ignore[import-untyped]
            FieldDescriptionMessage,
        )
        from fit_tool.profile.messages.file_id_message import FileIdMessage  # type: ignore[import-untyped]
        from fit_tool.profile.profile_type import FileType, Manufacturer  # type: ignore[import-untyped]

        file_id = FileIdMessage()
        file_id.type = FileType.ACTIVITY
        file_id.manufacturer = Manufacturer.DEVELOPMENT.value
        file_id.product = 0
        file_id.serial_number = int.from_bytes(self._session.device_id[:4], "big") or 1
        file_id.time_created = self._ms(0)
        self._builder.add(file_id)
        data_id = DeveloperDataIdMessage()
        data_id.developer_data_index = 0
        data_id.application_id = APPLICATION_ID
        data_id.application_version = self._session["fw_version"]
        self._builder.add(data_id)
        for number, (name, unit, base, size) in enumerate((*RECORD_FIELDS, *SESSION_FIELDS)):
            told = FieldDescriptionMessage()
            told.developer_data_index = 0
            told.field_definition_number = number
            told.fit_base_type_id = BaseType[base].value
            told.field_name = name
            told.units = unit
            self._builder.add(told)
            self._fields[name] = (number, unit, base, size)

    def _ms(self, t_s: float) -> int:
        """Time of a message as fit-tool takes it: Unix milliseconds."""
        return int((self._begin_s + t_s) * 1000)

    def _own(self, name: str, value: object) -> Any:
        from fit_tool.base_type import BaseType
        from fit_tool.developer_field import DeveloperField  # type: ignore[import-untyped]

        number, unit, base, size = self._fields[name]
        own = DeveloperField(
            field_id=number, developer_data_index=0, name=name, base_type=BaseType[base], units=unit, size=size
        )
        own.set_value(0, value)
        return own

    def _event(self, t_s: int, kind: str) -> None:
        from fit_tool.profile.messages.event_message import EventMessage  # type: ignore[import-untyped]
        from fit_tool.profile.profile_type import Event, EventType

        message = EventMessage()
        message.timestamp = self._ms(t_s)
        message.event = Event.TIMER
        message.event_type = EventType[kind]
        self._builder.add(message)

    def _second(self, t_s: int, row: "Row") -> None:
        own = (
            self._own("pitch", sum(row.pitch_cdeg) / len(row.pitch_cdeg) / 100),
            self._own("roll", sum(row.roll_cdeg) / len(row.roll_cdeg) / 100),
            self._own("posture", name_of(events.CLASS_NAMES, row.second_class)[: _CLASS_SIZE - 1]),
        )
        self._record(t_s, row.cadence_spm, own)

    def _record(self, t_s: int, cadence_spm: int, own: Sequence[Any]) -> None:
        from fit_tool.profile.messages.record_message import RecordMessage  # type: ignore[import-untyped]

        message = RecordMessage(developer_fields=list(own))
        message.timestamp = self._ms(t_s)
        message.cadence = cadence_spm // 2
        message.fractional_cadence = 0.5 * (cadence_spm % 2)
        self._builder.add(message)

    def _tail(self, lasts_s: int) -> None:
        from fit_tool.profile.messages.activity_message import ActivityMessage  # type: ignore[import-untyped]
        from fit_tool.profile.messages.lap_message import LapMessage  # type: ignore[import-untyped]
        from fit_tool.profile.messages.session_message import SessionMessage  # type: ignore[import-untyped]
        from fit_tool.profile.profile_type import (
            Activity,
            Event,
            EventType,
            Sport,
            SubSport,
        )

        session = self._session
        figures = figures_of(session)
        own = [self._own("judged_time", figures.judged_s), self._own("buzzes", session["buzzes"])]
        if figures.judged_s:
            own.append(self._own("upright_share", float(figures.upright_pct or 0)))
            own.append(self._own("mean_pitch", session["pitch_mean_cdeg"] / 100))
        for message in (LapMessage(), SessionMessage(developer_fields=own)):
            message.timestamp = self._ms(lasts_s)
            message.start_time = self._ms(0)
            message.message_index = 0
            message.total_elapsed_time = lasts_s
            message.total_timer_time = lasts_s
            message.sport = Sport.WALKING
            message.sub_sport = SubSport.GENERIC
            message.total_cycles = session["steps"] // 2
            message.avg_cadence = session["cadence_mean_spm"] // 2
            message.event = Event.LAP if isinstance(message, LapMessage) else Event.SESSION
            message.event_type = EventType.STOP
            if not isinstance(message, LapMessage):
                message.first_lap_index = 0
                message.num_laps = 1
            self._builder.add(message)
        activity = ActivityMessage()
        activity.timestamp = self._ms(lasts_s)
        offset = dates.local_time(dates.begin_of(session).utc_s).utcoffset()
        local_s = self._begin_s + lasts_s + (offset.total_seconds() if offset else 0)
        activity.local_timestamp = int(local_s) - _FIT_EPOCH_UNIX_S
        activity.total_timer_time = lasts_s
        activity.num_sessions = 1
        activity.type = Activity.MANUAL
        activity.event = Event.ACTIVITY
        activity.event_type = EventType.STOP
        self._builder.add(activity)
