/* The requests that the load generator sends; written by workload.py. */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <stddef.h>
#include <stdint.h>

enum { UID_DIGITS = 18 };

/* UID_DIGITS digits at `offset` become (serial of the request + index) / divisor. */
struct patch {
    uint64_t offset, index, divisor;
};

struct request {
    char *bytes; /* head and body */
    uint64_t length, serials, patch_count;
    int64_t answer_bytes; /* of the body; -1: not known */
    struct patch *patches;
};

struct plan {
    struct request *requests;
    size_t count;
};

/* Reads a plan, a sequence of
 *   request <length> <answer bytes> <serials> <patch count>\n
 *   <offset> <index> <divisor>\n                              for each patch
 *   <length bytes>
 * Ends the program when the file cannot be read or is malformed. */
struct plan read_plan(const char *path);

/* Writes the request's UIDs into `copy`, a copy of its bytes. */
void patch_uids(const struct request *request, char *copy, uint64_t serial);

#endif
