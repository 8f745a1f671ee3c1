# Types for walktall/motion.py: the loop over samples.

cimport cython

from walktall_sim.twin.gait cimport Gait
from walktall_sim.twin.tilt cimport Tilt


@cython.locals(whole='const short[::1]', at=cython.int)
cpdef list views_of(counts)


@cython.locals(
    four='const short[::1]',
    phase=cython.int, pull=cython.int, young=cython.int, n_groups=cython.int, n_felt=cython.int,
    gx=cython.int, gy=cython.int, gz=cython.int, bx=cython.int, by=cython.int, bz=cython.int,
    wx=cython.int, wy=cython.int, wz=cython.int, ux=cython.int, uy=cython.int, uz=cython.int,
    ax=cython.int, ay=cython.int, az=cython.int, cx=cython.int, cy=cython.int, cz=cython.int,
    still=cython.int, sx=cython.int, sy=cython.int, sz=cython.int,
    ex=cython.int, ey=cython.int, ez=cython.int, hysteresis=cython.int,
    x=cython.int, y=cython.int, z=cython.int, k=cython.int, r=cython.int, v=cython.int,
    sq=cython.int, mx=cython.int, my=cython.int, mz=cython.int, up=cython.int, extreme=cython.int, felt=cython.int, f1=cython.int, low=cython.int,
    newest=cython.int, doubt=cython.int, lag=cython.int,
)
cpdef void take(Tilt tilt, Gait gait, list views, int at, int n, int use_accel) except *
