/* Reads one HTTP/1.1 answer after the other from a connection (RFC 9112). Whatever the server
 * sends, the memory used is what stands here. */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANSWER_HEAD_BYTES = 32768, ANSWER_LINE_BYTES = 128, STATUSES = 600 };

enum outcome { GOING_ON, ANSWERED, CLOSED, MALFORMED };

struct answer {
    int keep;   /* file that the body is written to, or -1 */
    int status; /* 200 to 599 once the head is there */
    bool closes;   /* the connection is of no use after this answer */
    uint64_t body; /* bytes of the body so far, framing not counted */

    enum { HEAD, COUNTED, TO_THE_CLOSE, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER } state;
    uint64_t left; /* bytes to come of a counted body or a chunk */
    size_t head_length, line_length;
    char line[ANSWER_LINE_BYTES]; /* of the chunked framing */
    char head[ANSWER_HEAD_BYTES];
};

/* Makes ready for the next answer; its body goes to the file `keep`, or nowhere when that is -1. */
void expect_answer(struct answer *answer, int keep);

/* Reads once from a non-blocking socket, adding to `*received`.
 * ANSWERED: all of it is there. MALFORMED: not HTTP, or more bytes than the answer may have. */
enum outcome receive_answer(struct answer *answer, int socket, uint64_t *received);

#endif
