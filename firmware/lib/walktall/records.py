"""The session record: THE definition of its fields, names and units, and what speaks against one.

A record is what one walk leaves behind: :data:`SESSION_FIELDS` packed little endian without padding behind one layout
byte. Degrees and dates appear in the report alone. How the board packs it stands in :mod:`walktall.slots`, of which all
is here too; this module no board imports (its names would take 4 KiB of heap). The meaning of each field in words
stands in :mod:`walktall.meanings`.
"""

from . import __version__, packing
from .packing import crc as crc
from .packing import crc32 as crc32
from .packing import seal_into as seal_into
from .packing import sealed as sealed
from .slots import *  # noqa: F403 - all of it is this module's too

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

SESSION_SLOT_BYTES = 92

# Index of each field; a test holds them to the table.
S_SEQ = 0
S_BOOT = 1
S_START_UTC_S = 2
S_START_UPTIME_S = 3
S_WEAR_S = 4
S_GOOD_S = 5
S_FORWARD_S = 6
S_BACK_S = 7
S_SIDE_S = 8
S_STILL_S = 9
S_BEND_S = 10
S_JOG_S = 11
S_BUZZING_S = 12
S_CHARGING_S = 13
S_GAP_S = 14
S_UNSURE_S = 15
S_SNOOZED_S = 16
S_OFF_BODY_S = 17
S_WALKING_S = 18
S_BRISK_S = 19
S_STEPS = 20
S_CADENCE_MEAN_SPM = 21
S_LEAN_EVENTS = 22
S_SLOUCH_EVENTS = 23
S_UNSURE_EVENTS = 24
S_BACK_EVENTS = 25
S_SIDE_EVENTS = 26
S_BUZZES = 27
S_ANSWERED = 28
S_IGNORED = 29
S_ANSWER_MEAN_DS = 30
S_LONGEST_GOOD_S = 31
S_PITCH_MEAN_CDEG = 32
S_PITCH_SLOW_CDEG = 33
S_PITCH_BRISK_CDEG = 34
S_UPRIGHT_FIRST_PCT = 35
S_UPRIGHT_LAST_PCT = 36
S_WALK_OFFSET_CDEG = 37
S_CALIBRATION_QUALITY = 38
S_SLIPS = 39
S_DISCOMFORT_MARKS = 40
S_WRONG_MARKS = 41
S_BATTERY_START_MV = 42
S_BATTERY_END_MV = 43
S_ON_DEG = 44
S_OFF_DEG = 45
S_HOLD_S = 46
S_MODE = 47
S_COACHING = 48
S_FLAGS = 49
S_MERGED_WALKS = 50
S_FW_VERSION = 51
S_SILENT_S = 52
S_SILENT_FORWARD_S = 53
S_CUES = 54
#: Of the two upright shares: too little walking to compare.
NOT_TOLD = 255

#: Seconds of class c (``events.CLASS_...``, 1..13) are counted in field ``S_CLASS_BASE + c``.
S_CLASS_BASE = 4
S_CLASS_COUNT = 13

# Bits of the field ``flags``.
FLAG_RESUMED = 1  # taken up from a checkpoint after a loss of power
FLAG_MERGED = 2  # several walks in one record
FLAG_SATURATED = 4  # a count reached the end of its width
FLAG_SPLIT = 8  # ended by SESSION_SPLIT_S, goes on in the next record
FLAG_UNCALIBRATED = 16  # no upright known for a part of it
FLAG_SETTINGS = 32  # a setting changed in mid-session
FLAG_RECALIBRATED = 64  # the upright was taken again in mid-session
FLAG_CUT = 128  # ended by a loss of power: the last seconds may be missing
FLAG_SLIPPED = 256  # the clip slipped: judged as unsure from then on
FLAG_LOW_BATTERY = 512  # ended by the battery
FLAG_SENSOR = 1024  # the sensor failed for a part of it
FLAG_HILL = 2048  # hill mode was used
FLAG_SHORT = 4096  # every walk in it was shorter than SHORT_WALK_S: further ones may merge into it
FLAG_CLOCK_SET = 8192  # the clock was set in mid-session: start_utc_s is counted back from it

#: 18 h: a session is split before its seconds outgrow 16 bits (65,535 s = 18 h 12 min).
SESSION_SPLIT_S = 64800

#: Walks worn for less than this merge into one record of the day.
SHORT_WALK_S = 180

# What reading a record comes to.
RECORD_OK = 0
RECORD_NEWER = 1  # a layout of a later firmware: keep the bytes, read them after an upgrade
RECORD_BAD = 2  # too short, or a layout or a value that no firmware wrote

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


def version_number(text=__version__):
    """``major*10000 + minor*100 + patch`` of a version such as ``1.2.3``, as ``fw_version`` holds it."""
    number = 0
    parts = text.split(".")
    for i in range(3):
        digits = ""
        if i < len(parts):
            for letter in parts[i]:
                if not "0" <= letter <= "9":
                    break
                digits += letter
        number = number * 100 + int(digits or "0")
    return number


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
