# Types for walktall/gait.py.

cimport cython

from walktall_sim.twin.fixmath cimport log2_q8


# The built-in ones would make an object of each element.
cdef inline int max(short[::1] values) except? -1:
    cdef int found = values[0]
    cdef size_t i
    for i in range(1, <size_t> values.shape[0]):
        if values[i] > found:
            found = values[i]
    return found


cdef inline int min(short[::1] values) except? -1:
    cdef int found = values[0]
    cdef size_t i
    for i in range(1, <size_t> values.shape[0]):
        if values[i] < found:
            found = values[i]
    return found



@cython.final
cdef class Gait:
    cdef public int[::1] _q, _mx, _my, _mz, _corr, _pending, _gaps, _sorted
    cdef public short[::1] _low_x, _low_y, _low_z, _high_x, _high_y, _high_z, _history
    cdef public int mean_x, mean_y, mean_z, steps, cadence_spm, walking, jogging, still
    cdef public int score, var1, var2, regularity, span2
    cdef public int _at, _n_ticks, _sq, _sx, _sy, _sz, _n, _phase, _px, _py, _pz, _pv, _mean, _h_at
    cdef public int _lx, _ly, _lz, _ux, _uy, _uz, _gate, _quiet, _jog
    cdef public int _f1, _f2, _up, _ext, _ext_age, _trough, _age, _amp, _hysteresis, _n_pending, _n_gaps, _lag
    cdef public int _q4, _q8, _x4, _x8, _y4, _y8, _z4, _z8

    cpdef void restart(self) except *
    cpdef void bridge(self) except *
    cpdef void candidate(self, int rise) except *
    cpdef void _pace(self) except *
    cpdef int _forget_old_steps(self) except -1
    cpdef void _commit(self) except *
    cpdef int _variance(self, int q, int x, int y, int z, int ticks) except? -1
    cpdef bint _stopped(self) except -1
    cpdef void tick(self) except *
    cpdef int _judge(self) except -1
