# Types for walktall/detector.py.

cimport cython

from walktall_sim.twin cimport events as e
from walktall_sim.twin.coach cimport Coach
from walktall_sim.twin.fixmath cimport atan2_cdeg, isqrt
from walktall_sim.twin.tilt cimport Tilt



@cython.final
cdef class Fault:
    cdef public int code, busy, next, on_cdeg, off_cdeg, hold, active, timer, sum_cdeg, counted, margin
    cdef public int buzzed, since_buzz, withheld, level_cdeg, least_cdeg, good

    cpdef void restart(self) except *


@cython.final
cdef class Detector:
    cdef public Coach coach
    cdef public Fault forward, back, side
    cdef public int[::1] _sums
    cdef public short[::1] _pitches
    cdef public list up, _f, _l, _last
    cdef public unsigned char[::1] _cadences
    cdef public unsigned short[::1] _bins
    cdef public int pitch_cdeg, roll_cdeg, tick_pitch_cdeg, walk_offset_cdeg, rezero_cdeg
    cdef public int look_pitch_cdeg, look_roll_cdeg
    cdef public int label, snoozed, hill, muted, calibrated, slipped, slip, frozen, plain, off_body
    cdef public int told, began, ended, buzzed, recovered, second_class
    cdef public int _low_pitch, _high_pitch, _low_roll, _high_roll
    cdef public int _desk, _side_buzz, _rearm, _repeat1, _repeat2, _repeat3, _spacing
    cdef public int _hill_cdeg, _hill_ticks, _offset_max_cdeg
    cdef public int _offset_n, _walked, _since_first, _n, _gap_n, _rezero_n, _jump_at, _jump_cdeg, _swing
    cdef public int _minute, _stirred, _quiet_minutes, _first_bin, _near_cdeg
    cdef public bint _resting

    cpdef void configure(self, settings) except *
    cpdef void restart(self) except *
    cpdef bint set_upright(self, int ax, int ay, int az, int forward_axis) except -1
    cpdef bint set_frame(self, int ax, int ay, int az, int fx, int fy, int fz) except -1
    cpdef int angle_from_upright_cdeg(self, int ax, int ay, int az) except? -1
    cpdef int _restart_faults(self) except -1
    cpdef int _allowed(self, Fault fault) except -1
    cpdef void stand_into(self, v) except *
    cpdef void take_stand(self, v) except *
    cpdef void begin_hill(self) except *
    @cython.locals(x=cython.int, y=cython.int, z=cython.int, whole=cython.int, dx=cython.int, dy=cython.int, dz=cython.int)
    cpdef void look(self, Tilt tilt) except *
    @cython.locals(before=cython.int, oldest=cython.int, roll=cython.int, roll2=cython.int, roll3=cython.int)
    cpdef void step(self, int tick_pitch, int tick_roll, int state, int cadence) except *
    cpdef void _pass_over(self, int kind) except *
    cpdef void _each_second(self, int pitch, int swing, int walks, int cadence) except *
    cpdef int _elapse(self, int ticks) except -1
    cpdef int _run_faults(self, int pitch, int roll) except -1
    cpdef void _run(self, Fault fault, int angle, int extra) except *
    cpdef int _mean_3s(self, int code, int angle) except? -1
    cpdef int _pitch_before(self, int ticks, int width) except? -1
    cpdef int _margin(self) except? -1
    cpdef void _slip(self) except *
    cpdef void _watch_for_slip(self, int swing) except *
    cpdef void _watch_for_table(self, int pitch, int roll) except *
    cpdef void _learn_offset(self, int value) except *
    cpdef void _rezero(self, int pitch) except *
    @cython.locals(d=cython.int)
    cpdef int _label(self) except? -1
