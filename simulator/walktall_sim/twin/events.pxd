# Types for walktall/events.py.

cimport cython



@cython.final
cdef class EventRing:
    cdef public int[::1] _sample, _value
    cdef public signed char[::1] _code, _fault, _label
    cdef public int _head, _count, lost, sample, code, fault, label, value

    cpdef void put(self, int sample, int code, int fault, int label, int value) except *
    cpdef bint take(self) except -1
