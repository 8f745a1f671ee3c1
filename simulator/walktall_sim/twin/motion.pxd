# Types for walktall/motion.py: the loop over samples.

cimport cython

from walktall_sim.twin.gait cimport Gait
from walktall_sim.twin.tilt cimport Tilt


@cython.locals(
    shift=cython.int, half=cython.int, phase=cython.int, sq=cython.int, v=cython.int, k=cython.int, r=cython.int,
    gx=cython.int, gy=cython.int, gz=cython.int, px=cython.int, py=cython.int, pz=cython.int,
    bx=cython.int, by=cython.int, bz=cython.int, tx=cython.int, ty=cython.int, tz=cython.int,
    sx=cython.int, sy=cython.int, sz=cython.int, ex=cython.int, ey=cython.int, ez=cython.int,
    mx=cython.int, my=cython.int, mz=cython.int, qx=cython.int, qy=cython.int, qz=cython.int,
    f1=cython.int, f2=cython.int, rx=cython.int, ry=cython.int, rz=cython.int, x=cython.int, y=cython.int,
    z=cython.int, hx=cython.int, hy=cython.int, hz=cython.int, newest=cython.int, lag=cython.int,
)
cpdef int take(Tilt tilt, Gait gait, const short[::1] counts, int at, int n, int use_accel) except? -1
