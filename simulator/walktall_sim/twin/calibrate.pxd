# Types for walktall/calibrate.py.

cimport cython

from walktall_sim.twin.fixmath cimport isqrt
from walktall_sim.twin.gait cimport Gait
from walktall_sim.twin.tilt cimport Tilt


cpdef int _held(int bias) except? -1


@cython.final
cdef class Calibrator:
    cdef public int state, ax, ay, az, bx, by, bz, quality
    cdef public int _n, _sx, _sy, _sz, _wx, _wy, _wz, _qx, _qy, _qz, _px, _py, _pz, _low, _high
    cdef public int _lowx, _lowy, _lowz, _highx, _highy, _highz, _flow, _fhigh

    cpdef void _clear(self) except *
    cpdef void begin(self) except *
    cpdef void cancel(self) except *
    cpdef int step(self, int ax, int ay, int az, int wx, int wy, int wz) except? -1


@cython.final
cdef class Bow:
    cdef public int left, fx, fy, fz, _best

    cpdef void begin(self) except *
    cpdef int step(self, int ux, int uy, int uz, int gx, int gy, int gz) except? -1


@cython.final
cdef class BiasTracker:
    cdef public int _n, _x, _y, _z, _fx, _fy, _fz, _ix, _iy, _iz, _still, updates

    @cython.locals(x=cython.int, y=cython.int, z=cython.int)
    cpdef void second(self, Tilt tilt, Gait gait, int jogs) except *
