#define _GNU_SOURCE
#include "answer.h"

#include "fail.h"
#include "http.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 262144 };
#define LARGEST_CHUNK (UINT64_C(1) << 30)

void expect_answer(struct answer *answer, int keep)
{
    answer->keep = keep;
    answer->status = 0;
    answer->closes = false;
    answer->body = answer->left = 0;
    answer->state = HEAD;
    answer->head_length = answer->line_length = 0;
}

static void keep_body(int file, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = write(file, bytes, length);
        if (n <= 0)
            die("write of a kept answer");
        bytes += n;
        length -= (size_t)n;
    }
}

static void take_body(struct answer *a, const char *bytes, size_t length)
{
    static bool complained;
    a->body += length;
    if (a->status != 200 && !complained) {
        fprintf(stderr, "status %d: %.*s\n", a->status, length < 300 ? (int)length : 300, bytes);
        complained = true;
    }
    if (a->keep >= 0)
        keep_body(a->keep, bytes, length);
}

/* The head is complete: what comes after it? */
static enum outcome end_head(struct answer *a)
{
    const char *head = a->head;
    size_t length = a->head_length;
    if (length < 13 || memcmp(head, "HTTP/1.", 7) != 0 || head[8] != ' ' ||
        !isdigit((unsigned char)head[9]) || !isdigit((unsigned char)head[10]) ||
        !isdigit((unsigned char)head[11]))
        return MALFORMED;
    a->status = (head[9] - '0') * 100 + (head[10] - '0') * 10 + (head[11] - '0');
    if (a->status < 200 || a->status >= STATUSES)
        return MALFORMED; /* we send no Expect and no Upgrade */
    a->closes = header_ends_with(head, length, "Connection", "close");
    if (a->status == 204 || a->status == 304)
        return ANSWERED;
    if (header_ends_with(head, length, "Transfer-Encoding", "chunked")) {
        a->state = CHUNK_SIZE;
        return GOING_ON;
    }
    if (content_length(head, length, &a->left)) {
        a->state = COUNTED;
        return a->left > 0 ? GOING_ON : ANSWERED;
    }
    a->state = TO_THE_CLOSE;
    a->closes = true;
    return GOING_ON;
}

/* Takes bytes of the head; `*used` says how many of them belong to it. */
static enum outcome take_head(struct answer *a, const char *bytes, size_t length, size_t *used)
{
    size_t before = a->head_length, room = ANSWER_HEAD_BYTES - before;
    size_t taken = length < room ? length : room;
    memcpy(a->head + before, bytes, taken);
    size_t from = before > 3 ? before - 3 : 0; /* the blank line may have begun earlier */
    const char *end = memmem(a->head + from, before + taken - from, "\r\n\r\n", 4);
    if (end == NULL) {
        a->head_length += taken;
        *used = taken;
        return taken < length ? MALFORMED : GOING_ON;
    }
    a->head_length = (size_t)(end - a->head) + 4;
    *used = a->head_length - before;
    return end_head(a);
}

/* Takes bytes of a counted body or of a chunk. */
static enum outcome end_counted(struct answer *a, size_t length)
{
    a->left -= length;
    if (a->left > 0)
        return GOING_ON;
    if (a->state == COUNTED)
        return ANSWERED;
    a->state = CHUNK_END;
    return GOING_ON;
}

/* The line with a chunk's size is complete: hexadecimal digits, then perhaps an extension. */
static enum outcome begin_chunk(struct answer *a, size_t length)
{
    size_t digits = 0;
    uint64_t size = 0;
    for (; digits < length && isxdigit((unsigned char)a->line[digits]); digits++) {
        int digit = tolower((unsigned char)a->line[digits]);
        size = size * 16 + (uint64_t)(isdigit(digit) ? digit - '0' : digit - 'a' + 10);
        if (size > LARGEST_CHUNK)
            return MALFORMED;
    }
    if (digits == 0)
        return MALFORMED;
    a->left = size;
    a->state = size > 0 ? CHUNK_DATA : TRAILER;
    return GOING_ON;
}

/* Takes one byte of a line of the chunked framing. */
static enum outcome take_line_byte(struct answer *a, char byte)
{
    if (byte != '\n') {
        if (a->line_length == ANSWER_LINE_BYTES)
            return MALFORMED;
        a->line[a->line_length++] = byte;
        return GOING_ON;
    }
    size_t length = a->line_length;
    if (length > 0 && a->line[length - 1] == '\r')
        length -= 1;
    a->line_length = 0;
    if (a->state == CHUNK_SIZE)
        return begin_chunk(a, length);
    if (a->state == TRAILER)
        return length == 0 ? ANSWERED : GOING_ON;
    a->state = CHUNK_SIZE;
    return length == 0 ? GOING_ON : MALFORMED;
}

/* Takes some of the bytes, at least one; `*used` says how many. */
static enum outcome take(struct answer *a, const char *bytes, size_t length, size_t *used)
{
    switch (a->state) {
    case HEAD:
        return take_head(a, bytes, length, used);
    case COUNTED:
    case CHUNK_DATA:
        *used = length < a->left ? length : (size_t)a->left;
        take_body(a, bytes, *used);
        return end_counted(a, *used);
    case TO_THE_CLOSE:
        *used = length;
        take_body(a, bytes, length);
        return GOING_ON;
    default:
        *used = 1;
        return take_line_byte(a, *bytes);
    }
}

static enum outcome read_and_take(struct answer *a, int socket, uint64_t *received)
{
    static char buffer[READ_BYTES];
    ssize_t n = recv(socket, buffer, sizeof buffer, 0);
    if (n < 0)
        return errno == EAGAIN ? GOING_ON : CLOSED;
    if (n == 0)
        return a->state == TO_THE_CLOSE ? ANSWERED : CLOSED;
    *received += (uint64_t)n;
    enum outcome outcome = GOING_ON;
    for (size_t used, taken = 0; taken < (size_t)n; taken += used) {
        if (outcome == ANSWERED)
            return MALFORMED; /* nothing may follow: we do not pipeline */
        outcome = take(a, buffer + taken, (size_t)n - taken, &used);
        if (outcome == MALFORMED)
            return MALFORMED;
    }
    return outcome;
}

/* Drops bytes of the body in the kernel, without copying them (tcp(7), MSG_TRUNC). */
static enum outcome discard(struct answer *a, int socket, uint64_t *received)
{
    size_t most = a->left < LARGEST_CHUNK ? (size_t)a->left : LARGEST_CHUNK;
    ssize_t n = recv(socket, NULL, most, MSG_TRUNC);
    if (n < 0)
        return errno == EAGAIN ? GOING_ON : CLOSED;
    if (n == 0)
        return CLOSED;
    *received += (uint64_t)n;
    a->body += (uint64_t)n;
    return end_counted(a, (size_t)n);
}

enum outcome receive_answer(struct answer *answer, int socket, uint64_t *received)
{
    bool counted = answer->state == COUNTED || answer->state == CHUNK_DATA;
    if (counted && answer->keep < 0 && answer->status == 200)
        return discard(answer, socket, received);
    return read_and_take(answer, socket, received);
}
