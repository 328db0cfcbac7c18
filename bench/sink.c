/* A server that does nothing but read a request to its end and answer 200 at once: what the load
 * generator reaches against it is what the machine's loopback and the generator themselves allow.
 *
 *   sink [--answer BYTES] [--threads N]
 *
 * Listens on a free port of 127.0.0.1, prints it as one line, and ends with its standard input.
 * Request bodies are copied out of the kernel, as any server must; answers are BYTES bytes
 * (default 600), all zero. */
#define _GNU_SOURCE
#include "fail.h"
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEAD_BYTES = 16384,
    READ_BYTES = 262144,
    ANSWER_PIECE = 262144, /* stays in the processor's cache, so answering costs next to nothing */
    MAX_THREADS = 64,
    EVENTS = 64
};

struct connection {
    int fd;
    size_t head_length;   /* bytes of `head` that are filled */
    uint64_t body_left;   /* bytes of the request still to come; used once `in_body` */
    size_t answer_head_sent;
    uint64_t answer_sent; /* bytes of the answer's body */
    bool in_body, answering;
    char head[HEAD_BYTES];
};

static char answer_head[256];
static size_t answer_head_length;
static uint64_t answer_bytes = 600;
static const char answer_body[ANSWER_PIECE];

/* Sends what is left of the answer. False: the connection is broken. */
static bool answer(struct connection *c)
{
    while (c->answer_head_sent < answer_head_length) {
        ssize_t n = send(c->fd, answer_head + c->answer_head_sent,
                         answer_head_length - c->answer_head_sent,
                         MSG_NOSIGNAL | (answer_bytes > 0 ? MSG_MORE : 0));
        if (n < 0)
            return errno == EAGAIN;
        c->answer_head_sent += (size_t)n;
    }
    while (c->answer_sent < answer_bytes) {
        uint64_t left = answer_bytes - c->answer_sent;
        ssize_t n = send(c->fd, answer_body, left < ANSWER_PIECE ? left : ANSWER_PIECE,
                         MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN;
        c->answer_sent += (uint64_t)n;
    }
    c->answering = c->in_body = false;
    c->head_length = 0;
    return true;
}

/* Takes the head out of what has arrived. False: this is no request that the sink understands. */
static bool begin_body(struct connection *c)
{
    const char *end = memmem(c->head, c->head_length, "\r\n\r\n", 4);
    if (end == NULL)
        return c->head_length < HEAD_BYTES;
    size_t length = (size_t)(end - c->head) + 4, arrived = c->head_length - length;
    c->body_left = 0;
    content_length(c->head, length, &c->body_left);
    if (arrived > c->body_left)
        return false; /* pipelined */
    c->body_left -= arrived;
    c->in_body = true;
    return true;
}

/* Reads what is there; answers when it was the end. False: the connection is over. */
static bool serve(struct connection *c, char *buffer)
{
    if (c->answering)
        return answer(c);
    char *into = c->in_body ? buffer : c->head + c->head_length;
    size_t room = c->in_body ? READ_BYTES : HEAD_BYTES - c->head_length;
    if (c->in_body && room > c->body_left)
        room = c->body_left;
    ssize_t n = recv(c->fd, into, room, 0);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    if (c->in_body)
        c->body_left -= (uint64_t)n;
    else {
        c->head_length += (size_t)n;
        if (!begin_body(c))
            return false;
    }
    if (!c->in_body || c->body_left > 0)
        return true;
    c->answering = true;
    c->answer_head_sent = 0;
    c->answer_sent = 0;
    return answer(c);
}

/* One thread's loop over the connections given to its epoll. */
static void *work(void *argument)
{
    int poll = *(int *)argument;
    char *buffer = malloc(READ_BYTES);
    struct epoll_event events[EVENTS];
    if (buffer == NULL)
        die("malloc");
    for (;;) {
        int count = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            bool was_answering = c->answering;
            if (!serve(c, buffer)) {
                close(c->fd);
                free(c);
            } else if (c->answering != was_answering) {
                struct epoll_event event = {.events = c->answering ? EPOLLOUT : EPOLLIN,
                                            .data.ptr = c};
                epoll_ctl(poll, EPOLL_CTL_MOD, c->fd, &event);
            }
        }
    }
    return NULL;
}

static void *end_with_stdin(void *unused)
{
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    exit(0);
    return unused;
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        die("listen");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void prepare_answer(void)
{
    answer_head_length = (size_t)snprintf(
        answer_head, sizeof answer_head,
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %" PRIu64
        "\r\n\r\n",
        answer_bytes);
}

int main(int argc, char **argv)
{
    long threads = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--answer") == 0)
            answer_bytes = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--threads") == 0)
            threads = strtol(argv[i + 1], NULL, 10);
    }
    if (argc % 2 == 0 || threads < 1 || threads > MAX_THREADS)
        refuse("usage: sink [--answer BYTES] [--threads 1..64]");
    prepare_answer();
    int listener = listen_on_loopback(), polls[MAX_THREADS];
    pthread_t thread;
    if (pthread_create(&thread, NULL, end_with_stdin, NULL) != 0)
        die("pthread_create");
    for (long i = 0; i < threads; i++) {
        polls[i] = epoll_create1(0);
        if (polls[i] < 0 || pthread_create(&thread, NULL, work, &polls[i]) != 0)
            die("pthread_create");
    }
    for (unsigned accepted = 0;; accepted++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
        struct connection *c = calloc(1, sizeof *c);
        if (fd < 0 || c == NULL)
            die("accept");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        c->fd = fd;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(polls[accepted % (unsigned)threads], EPOLL_CTL_ADD, fd, &event) < 0)
            die("epoll_ctl");
    }
}
