# Types for walktall/coach.py.

cimport cython

from walktall_sim.twin cimport events as e



@cython.final
cdef class Coach:
    cdef public int day, silent, cue, ease_cdeg, counts
    cdef public int _faults, _block, _walked, _sat, _random, _kind, _faded_days, _progressive, _stretch, _nudge

    cpdef void configure(self, settings) except *
    cpdef void restart(self) except *
    cpdef void stand_into(self, v) except *
    cpdef void take_stand(self, v) except *
    cpdef void set_day(self, int day) except *
    cpdef void seed(self, int number) except *
    cpdef int give(self) except? -1
    cpdef int tick(self, int walking, int still) except -1
