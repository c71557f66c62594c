// What both programs of the floor need.

#pragma once

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline void fail(const char *reason) {
    fprintf(stderr, "bench: %s: %s\n", reason, strerror(errno));
    exit(1);
}

static inline int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static inline int compare(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

// In microseconds; sorts the times.
static inline double percentile(int64_t *times, long count, int percent) {
    qsort(times, (size_t)count, sizeof *times, compare);
    return (double)times[count * percent / 100] / 1000;
}
