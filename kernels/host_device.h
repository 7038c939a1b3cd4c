// Functions that host and device share are marked ISKRA_HD.
#pragma once

#ifdef __CUDACC__
#define ISKRA_HD __host__ __device__
#else
#define ISKRA_HD
#endif
