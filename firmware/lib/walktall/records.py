"""The session record: THE definition of its fields, names and units, and what speaks against one.

A record is what one walk leaves behind: :data:`SESSION_FIELDS` packed little endian without padding behind one layout
byte. Degrees and dates appear in the report alone. How the board packs it stands in :mod:`walktall.slots`, of which all
is here too; this module no board imports (its names would take 4 KiB of heap). The meaning of each field in words
stands in :mod:`walktall.meanings`.
"""

from . import packing
from .packing import crc as crc
from .packing import crc32 as crc32
from .packing import seal_into as seal_into
from .packing import sealed as sealed
from .slots import *  # noqa: F403 - all of it is this module's too
from .slots import (
    FLAG_SATURATED,
    NOT_TOLD,
    S_BRISK_S,
    S_CLASS_BASE,
    S_CLASS_COUNT,
    S_FLAGS,
    S_LONGEST_GOOD_S,
    S_UPRIGHT_FIRST_PCT,
    S_UPRIGHT_LAST_PCT,
    S_WALKING_S,
    S_WEAR_S,
    SESSION_COUNTS,
    SESSION_LAYOUT,
    SESSION_SLOT_BYTES,
)

#: Unix seconds of 2020-01-01 00:00:00 UTC, the zero of every ``utc_s``: 34 years of it fit a 31-bit small int. Zero
#: itself means 'undated'.
EPOCH_UNIX_S = 1577836800

#: (name, code, unit). The code is a width, B b H h I i as in ``struct``, T for three bytes unsigned; ``*10`` says that
#: the packed integer counts tens of the unit: a battery is not known to better than 20 mV.
SESSION_FIELDS = (
    ("seq", "H", ""),
    ("boot", "H", ""),
    ("start_utc_s", "I", "s"),
    ("start_uptime_s", "I", "s"),
    ("wear_s", "H", "s"),
    ("good_s", "H", "s"),
    ("forward_s", "H", "s"),
    ("back_s", "H", "s"),
    ("side_s", "H", "s"),
    ("still_s", "H", "s"),
    ("bend_s", "H", "s"),
    ("jog_s", "H", "s"),
    ("buzzing_s", "H", "s"),
    ("charging_s", "H", "s"),
    ("gap_s", "H", "s"),
    ("unsure_s", "H", "s"),
    ("snoozed_s", "H", "s"),
    ("off_body_s", "H", "s"),
    ("walking_s", "H", "s"),
    ("brisk_s", "H", "s"),
    ("steps", "T", "steps"),
    ("cadence_mean_spm", "B", "steps/min"),
    ("lean_events", "B", "events"),
    ("slouch_events", "B", "events"),
    ("unsure_events", "B", "events"),
    ("back_events", "B", "events"),
    ("side_events", "B", "events"),
    ("buzzes", "B", "buzzes"),
    ("answered", "B", "events"),
    ("ignored", "B", "events"),
    ("answer_mean_ds", "H", "0.1 s"),
    ("longest_good_s", "H", "s"),
    ("pitch_mean_cdeg", "h", "0.01 deg"),
    ("pitch_slow_cdeg", "h", "0.01 deg"),
    ("pitch_brisk_cdeg", "h", "0.01 deg"),
    ("upright_first_pct", "B", "%"),
    ("upright_last_pct", "B", "%"),
    ("walk_offset_cdeg", "b*10", "0.01 deg"),
    ("calibration_quality", "B", "%"),
    ("slips", "B", "slips"),
    ("discomfort_marks", "B", "presses"),
    ("wrong_marks", "B", "presses"),
    ("battery_start_mv", "B*20", "mV"),
    ("battery_end_mv", "B*20", "mV"),
    ("on_deg", "B", "deg"),
    ("off_deg", "B", "deg"),
    ("hold_s", "B", "s"),
    ("mode", "B", ""),
    ("coaching", "B", ""),
    ("flags", "H", "bits"),
    ("merged_walks", "B", "walks"),
    ("fw_version", "H", ""),
    ("silent_s", "H", "s"),
    ("silent_forward_s", "H", "s"),
    ("cues", "B", "cues"),
)

#: Head of the journal (``journal.HEAD_CODES``), behind its magic and layout.
HEAD_FIELDS = (
    ("generation", "I", ""),
    ("length", "H", "bytes"),
    ("slot_bytes", "B", "bytes"),
    ("count", "H", "records"),
    ("device_id", "8s", ""),
    ("journal_id", "4s", ""),
    ("boot", "H", ""),
    ("next_seq", "H", ""),
    ("acked_seq", "H", ""),
    ("last_utc_s", "I", "s"),
    ("clock_set_utc_s", "I", "s"),
    ("dropped_acked", "H", "records"),
    ("dropped_unacked", "H", "records"),
    ("commits", "I", "commits"),
    ("commit_day", "H", ""),
    ("commits_today", "B", "commits"),
    ("commits_deferred", "H", "commits"),
    ("first_utc_s", "I", "s"),
)

#: The calibration in the journal (``journal.CALIBRATION_CODES``), as ``chain.set_upright`` takes it.
CALIBRATION_FIELDS = (
    ("up_x_counts", "h", "counts"),
    ("up_y_counts", "h", "counts"),
    ("up_z_counts", "h", "counts"),
    ("bias_x", "h", "1/16 count"),
    ("bias_y", "h", "1/16 count"),
    ("bias_z", "h", "1/16 count"),
    ("forward_x", "h", "Q14"),
    ("forward_y", "h", "Q14"),
    ("forward_z", "h", "Q14"),
    ("quality", "B", "%"),
    ("walk_offset_cdeg", "h", "0.01 deg"),
    ("taken_utc_s", "I", "s"),
)

#: Names of the bits of ``flags``, lowest first.
FLAG_NAMES = (
    "resumed",
    "merged",
    "saturated",
    "split",
    "uncalibrated",
    "settings",
    "recalibrated",
    "cut",
    "slipped",
    "low_battery",
    "sensor",
    "hill",
    "short",
    "clock_set",
)


class Table(packing.Table):
    """A field table by names.

    :param fields: rows of (name, code, unit), codes as :class:`walktall.packing.Table` has them
    """

    def __init__(self, fields):
        super().__init__(" ".join([row[1] for row in fields]))
        self.fields = fields

    def index(self, name):
        """Index of the field of that name, -1 where there is none."""
        for i in range(self.count):
            if self.fields[i][0] == name:
                return i
        return -1


SESSION = Table(SESSION_FIELDS)


def record_size(layout):
    """Bytes of a record of that layout; the whole slot where the layout is not known."""
    if 0 < layout <= SESSION_LAYOUT:
        size = 1
        for i in range(SESSION_COUNTS[layout]):
            size += SESSION.widths[i]
        return size
    return SESSION_SLOT_BYTES


def session_fault(fields):
    """Why no honest device can have written these fields, '' when nothing speaks against them.

    The host asks it before it believes a record: every second worn has exactly one class, and no part is greater than
    its whole.
    """
    total = 0
    for c in range(1, S_CLASS_COUNT + 1):
        total += fields[S_CLASS_BASE + c]
    saturated = fields[S_FLAGS] & FLAG_SATURATED
    if total != fields[S_WEAR_S] and not saturated:
        return "seconds of all classes are %d, worn are %d" % (total, fields[S_WEAR_S])
    for part, whole in ((S_WALKING_S, S_WEAR_S), (S_BRISK_S, S_WALKING_S), (S_LONGEST_GOOD_S, S_WEAR_S)):
        if fields[part] > fields[whole]:
            return "%s is greater than %s" % (SESSION_FIELDS[part][0], SESSION_FIELDS[whole][0])
    for share in (S_UPRIGHT_FIRST_PCT, S_UPRIGHT_LAST_PCT):
        if fields[share] > 100 and fields[share] != NOT_TOLD:
            return "%s is above 100" % SESSION_FIELDS[share][0]
    return ""
