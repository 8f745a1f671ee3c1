"""Blocks of counts into the compiled chain: no Python object a sample."""

from walktall_sim.twin.chain cimport Chain
from walktall_sim.twin.motion cimport views_of
from walktall_sim.twin.session cimport Session

cdef enum:
    TICK_SAMPLES = 13
    SECOND = 2

# A tick as the FIFO has it, the gyroscope first, and `motion.views_of` it. What is left of a tick waits in the chain.
cdef short[6 * TICK_SAMPLES] room
cdef const short[::1] tick = <short[:6 * TICK_SAMPLES]> room
# Made where they are used: a view of one's own module is taken without a look at its format.
cdef list views = views_of(tick)


def burst(Chain chain, const short[::1] counts, int begin, bint by_tick):
    """Feed samples ``begin ..`` of ``counts`` (six each: ax ay az gx gy gz) to the chain, up to the first that the
    caller has to look at: a tick with events in the ring (with ``by_tick``: any tick), or a second, unless somebody
    walks on in an open session, of which there is nothing to decide.

    :returns: (samples taken so far, what the last of them closed: 0 only at the end of the block)
    """
    cdef Session session = chain.session
    cdef int n = <int> (counts.shape[0] // 6)
    cdef int at = begin
    cdef int i, some
    cdef const short *row
    while at < n:
        some = n - at if n - at < TICK_SAMPLES else TICK_SAMPLES
        row = &counts[6 * at]
        for i in range(0, 6 * some, 6):
            room[i] = row[i + 3]
            room[i + 1] = row[i + 4]
            room[i + 2] = row[i + 5]
            room[i + 3] = row[i]
            room[i + 4] = row[i + 1]
            room[i + 5] = row[i + 2]
        at += chain.burst(views, 0, some)
        if chain.closed:
            chain.buzz_request = 0
            if by_tick or chain.ring._count:
                return at, chain.closed
            if chain.closed & SECOND and (
                not chain.gait.walking or chain.may_doze or not session.open or session.idle_s or session.must_split
            ):
                return at, chain.closed
    return n, 0
