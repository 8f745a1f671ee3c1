# Types for walktall/tilt.py.

cimport cython



@cython.final
cdef class Tilt:
    cdef public int[3] g, bias, rate
    cdef public int[4] sums
    cdef public int[13] _part
    cdef public int _phase, _shift, _young

    cpdef void restart(self) except *
    cpdef void seed(self, int ax, int ay, int az) except *
    cpdef int _set(self, int x, int y, int z) except -1
    @cython.locals(gx=cython.int, gy=cython.int, gz=cython.int)
    cpdef void renormalise(self) except *
    cpdef int meet(self, int ax, int ay, int az) except -1
    @cython.locals(gx=cython.int, gy=cython.int, gz=cython.int, k=cython.int)
    cpdef int grow(self, int ex, int ey, int ez) except -1
    cpdef int drop_tick(self) except -1
    cpdef int drop_group(self) except -1
    cpdef void loosen(self, int shift) except *
