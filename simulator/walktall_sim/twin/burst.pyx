"""Blocks of counts into the compiled chain: no Python object a sample."""

from walktall_sim.twin.chain cimport Chain


def burst(Chain chain, const short[::1] counts, int begin, bint by_tick):
    """Feed samples ``begin ..`` of ``counts`` (six each, as the FIFO has them) to the chain, up to the first that the
    caller has to look at: one that closes a second, or a tick with events in the ring (with ``by_tick``: any tick).

    :returns: (samples taken so far, what the last of them closed: 0 only at the end of the block)
    """
    cdef int at = begin
    cdef int n = <int>(counts.shape[0] // 6)
    while at < n:
        at += chain.burst(counts, 6 * at, n - at)
        if chain.closed:
            chain.buzz_request = 0
            if by_tick or chain.closed & 2 or chain.ring._count:
                return at, chain.closed
    return n, 0
