"""Blocks of counts into the compiled chain: no Python object a sample."""

from walktall_sim.twin.chain cimport Chain


def burst(Chain chain, const short[::1] counts, Py_ssize_t begin, bint by_tick):
    """Feed rows ``begin ..`` of ``counts`` (6 n) to the chain, up to the first that the caller has to look at.

    That is one that closes a second or a tick with events in the ring (with ``by_tick``: any tick).

    :returns: (rows taken so far, what the last of them closed: 0 only at the end of the block)
    """
    cdef Py_ssize_t i, at
    cdef Py_ssize_t n = counts.shape[0] // 6
    cdef int closed
    for i in range(begin, n):
        at = 6 * i
        closed = chain.sample(
            counts[at], counts[at + 1], counts[at + 2], counts[at + 3], counts[at + 4], counts[at + 5]
        )
        if closed:
            chain.buzz_request = 0
            if by_tick or closed & 2 or chain.ring._count:
                return i + 1, closed
    return n, 0
