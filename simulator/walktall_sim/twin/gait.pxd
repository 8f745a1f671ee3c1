# Types for walktall/gait.py.

cimport cython

from walktall_sim.twin.fixmath cimport log2_q8
from walktall_sim.twin.tilt cimport Tilt


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
    cdef public int[::1] _ring, _corr, _pending
    cdef public short[::1] _gx, _gy, _gz, _history
    cdef public int mean_x, mean_y, mean_z, steps, cadence_spm, walking, jogging, still
    cdef public signed char[::1] _gaps, _sorted
    cdef public int score, var1, _even, _gaps_sum
    cdef public int _at, _g_at, _steady, _n_ticks, _doubt, _mean, _h_at, _gate, _quiet, _jog
    cdef public int[5] _sums
    cdef public int[4] _wave
    cdef public int _ext_age, _trough, _age, _amp, _hysteresis, _n_pending, _n_gaps, _lag

    cpdef void restart(self) except *
    cpdef void bridge(self) except *
    cpdef void candidate(self, int rise) except *
    cpdef int _begin_autocorrelation(self) except -1
    cpdef int _find_period(self) except -1
    cpdef void _pace(self) except *
    cpdef int _each_second(self) except -1
    cpdef void _commit(self) except *
    cpdef int _variance(self, int ticks) except? -1
    @cython.locals(square=cython.int, sum_x=cython.int, sum_y=cython.int, sum_z=cython.int, n=cython.int)
    cpdef int tick(self, Tilt tilt) except -1
    cpdef int _score(self, int var1) except? -1
    @cython.locals(x=cython.int, y=cython.int, z=cython.int)
    cpdef int _judge(self, Tilt tilt, int var1) except -1
