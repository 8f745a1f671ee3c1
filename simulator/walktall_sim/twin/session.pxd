# Types for walktall/session.py.

cimport cython

from walktall_sim.twin cimport events


cpdef int _rounded_mean(int total, int n) except? -1


@cython.final
cdef class Session:
    cdef public int[::1] fields, state
    cdef public unsigned char[::1] _lately
    cdef public int silent, _lately_at, _lately_n
    cdef public bint _off_body

    cpdef void forget(self) except *
    cpdef void start(self, int seq, int boot, int utc_s, int uptime_s, int battery_mv) except *
    cpdef void take_up(self) except *
    cpdef void second(
        self, int second_class, int pitch_cdeg, int roll_cdeg, int cadence_spm, int walking, int steps_total
    ) except *
    cpdef void _give_to_table(self) except *
    cpdef void event(self, int code, int fault, int label, int value) except *
    cpdef void _close_fault(self, int fault, int label) except *
    cpdef void note_calibration(self, int quality, int walk_offset_cdeg) except *
    cpdef void note_flag(self, int flag) except *
    cpdef void note_rules(self, int on_deg, int off_deg, int hold_s, int mode, int coaching) except *
    cpdef void note_utc(self, int utc_s) except *
    cpdef void cut_idle(self) except *
    cpdef void summarise(self) except *
    cpdef int _good_pct(self, int from_s, int to_s) except? -1
    cpdef void finish(self, int utc_s, int battery_mv) except *
