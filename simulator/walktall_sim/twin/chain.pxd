# Types for walktall/chain.py: the order of a sample.

cimport cython

from walktall_sim.twin cimport calibrate as c
from walktall_sim.twin cimport events as e
from walktall_sim.twin.coach cimport Coach
from walktall_sim.twin.detector cimport Detector, Fault
from walktall_sim.twin.gait cimport Gait
from walktall_sim.twin.motion cimport take
from walktall_sim.twin.session cimport Session
from walktall_sim.twin.tilt cimport Tilt



@cython.final
cdef class Chain:
    cdef public object settings
    cdef public Tilt tilt
    cdef public Gait gait
    cdef public Coach coach
    cdef public Detector detector
    cdef public Session session
    cdef public e.EventRing ring
    cdef public c.Calibrator calibrator
    cdef public c.Bow bow
    cdef public c.BiasTracker bias
    cdef public int n_samples, buzz_request, calibration_result, calibration_quality, bowed, second_class, left_out
    cdef public int[::1] upright
    cdef public object rows
    cdef public unsigned char[::1] _kinds
    cdef public int _in_tick, _ticks, _apart, _shaken, _special, _spoilt, _settle, _walking, _buzz_tick, _cadence
    cdef public int closed
    cdef public short[::1] _one
    cdef public list _views
    cdef public int may_doze, _wakeful, _doze, _n_ticks

    cpdef void configure(self, settings) except *
    cpdef void _note(self) except *
    @cython.locals(one='const short[::1]')
    cpdef int burst(self, list views, int at, int n) except? -1
    cpdef int sample(self, int ax, int ay, int az, int wx, int wy, int wz) except? -1
    cpdef int _tick(self) except? -1
    cpdef void begin(self) except *
    cpdef void stand_into(self, v) except *
    cpdef void take_stand(self, v) except *
    cpdef int judge(self, int pitch_cdeg, int roll_cdeg, int state, int cadence_spm) except? -1
    cpdef int _class_of_second(self) except -1
    cpdef void _mark(self, int code, int value, int fault=*, int label=*) except *
    cpdef void _put(self, int code, int fault, int label, int value) except *
    cpdef int _tell(self) except -1
    cpdef int _tell_fault(self, Fault fault, int label) except -1
    cpdef void _ask(self, int pattern) except *
    cpdef void shake(self, int n_samples) except *
    cpdef void missed(self, int n_samples) except *
    cpdef int dozed(self, int n_samples) except? -1
    cpdef void woke(self) except *
    cpdef void mend(self) except *
    cpdef bint set_upright(self, int ax, int ay, int az, int bx, int by, int bz, int quality) except -1
    cpdef void begin_calibration(self) except *
    cpdef void cancel_calibration(self) except *
    cpdef void _calibrate(self, int ax, int ay, int az, int wx, int wy, int wz) except *
    cpdef void begin_bow(self) except *
    @cython.locals(x=cython.int, y=cython.int, z=cython.int)
    cpdef void _bow(self) except *
    cpdef bint set_frame(self, int ax, int ay, int az, int fx, int fy, int fz) except -1
    cpdef bint set_axis(self, int ax, int ay, int az, int forward_axis) except -1
    cpdef void forget_upright(self) except *
    cpdef void snooze(self, int minutes) except *
    cpdef void mark(self) except *
    cpdef void wrong(self) except *
    cpdef void hill(self, on=*) except *
