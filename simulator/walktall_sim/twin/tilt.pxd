# Types for walktall/tilt.py.

cimport cython



@cython.final
cdef class Tilt:
    cdef public int gx, gy, gz
    cdef public int bias_x, bias_y, bias_z, rate_x, rate_y, rate_z
    cdef public int _wx, _wy, _wz, _ax, _ay, _az, _ux, _uy, _uz, _cx, _cy, _cz, _phase, _felt, _shift, _young
    cdef public int n, sum_x, sum_y, sum_z

    cpdef void restart(self) except *
    cpdef void seed(self, int ax, int ay, int az) except *
    cpdef void _renormalise(self) except *
    cpdef int grow(self, int ax, int ay, int az) except -1
    cpdef int drop_tick(self) except -1
    cpdef int drop_group(self) except -1
    cpdef void loosen(self, int shift) except *
