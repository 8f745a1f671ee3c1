# Types for walktall/fixmath.py. Arguments and results stay within -2^30 .. 2^30 - 1 (promise 2): a C int holds them.

cpdef int clamp(int value, int low, int high) except? -1
cpdef int isqrt(int n) except? -1
cpdef int atan2_cdeg(int y, int x) except? -1
cpdef int log2_q8(int n) except? -1
