/* Sends prepared requests over keep-alive connections as fast as the answers come (closed loop)
 * and prints what happened as one JSON object.
 *
 *   load --port PORT --plan FILE [--connections N] [--warmup S] [--seconds S | --requests N]
 *        [--first SERIAL] [--keep PREFIX]
 *
 * The requests of the plan (plan.h) are taken in turn. Request r of connection c has the serial
 *   first + c * 10^7 + r * (serials per request)
 * so that every UID is new and each connection stores studies of its own.
 *
 * Only answers that end between warm-up and deadline count; a request under way at the deadline is
 * still finished, so that a server is never left with half an upload. With --requests every
 * connection sends exactly N and all count. --keep writes the body of each connection's first
 * answer to PREFIX<connection>.
 *
 * One thread: on a small machine the other cores belong to the server. 127.0.0.1 only. */
#define _GNU_SOURCE
#include "answer.h"
#include "fail.h"
#include "plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 256, STALL_SECONDS = 30, MAX_FAILURES = 1000 };
#define SERIALS_PER_CONNECTION UINT64_C(10000000)
#define SECOND_NS UINT64_C(1000000000)

struct connection {
    unsigned number;
    int fd;       /* -1: this connection has done its part */
    bool writing; /* epoll tells when there is room again */
    const struct request *request;
    char *own; /* a copy whose UIDs are patched, of the request `copied` */
    const struct request *copied;
    uint64_t sent;            /* bytes of the request */
    uint64_t begun, finished; /* requests */
    uint64_t began_ns, moved_ns;
    struct answer answer;
};

static struct {
    const char *plan, *keep;
    double warmup, seconds;
    uint64_t requests, first;
    unsigned connections;
    uint16_t port;
} option = {.seconds = 5, .connections = 1, .first = UINT64_C(100000000000000000)};

static struct plan plan;
static size_t next_request;
static struct connection *connections;
static unsigned done; /* connections that have done their part */
static int poll_fd;
static uint64_t opens_ns, ends_ns, last_ns; /* the counted time; the last counted answer */

static struct {
    uint64_t counted, bytes_sent, bytes_received, wrong_length, closed, malformed, stalled,
        reconnects, status[STATUSES];
    uint32_t *latencies_us;
    size_t room;
} result;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static void open_connection(struct connection *c)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(option.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = STALL_SECONDS};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("socket");
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); /* bounds connect */
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->writing = false;
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0 ||
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
        die("epoll_ctl");
}

static void reconnect(struct connection *c)
{
    close(c->fd);
    open_connection(c);
    result.reconnects += 1;
}

static void retire(struct connection *c)
{
    close(c->fd);
    c->fd = -1;
    done += 1;
}

/* Sends what the socket takes. False: the connection is broken. */
static bool send_more(struct connection *c)
{
    const struct request *r = c->request;
    const char *bytes = r->patch_count > 0 ? c->own : r->bytes;
    bool full = false;
    while (c->sent < r->length && !full) {
        ssize_t n = send(c->fd, bytes + c->sent, r->length - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return false;
        full = n < 0;
        c->sent += full ? 0 : (uint64_t)n;
        result.bytes_sent += full ? 0 : (uint64_t)n;
    }
    c->moved_ns = now_ns();
    if (full == c->writing)
        return true;
    struct epoll_event event = {.events = full ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
    c->writing = full;
    return epoll_ctl(poll_fd, EPOLL_CTL_MOD, c->fd, &event) == 0;
}

/* Gives the request's UIDs their digits, in this connection's own copy. */
static void make_unique(struct connection *c)
{
    const struct request *r = c->request;
    if (r->patch_count == 0)
        return;
    if (c->copied != r) {
        free(c->own);
        c->own = malloc(r->length);
        if (c->own == NULL)
            die("malloc");
        memcpy(c->own, r->bytes, r->length);
        c->copied = r;
    }
    patch_uids(r, c->own, option.first + c->number * SERIALS_PER_CONNECTION + c->begun * r->serials);
}

/* The file for this answer's body, or -1: the first answer of a connection is kept. */
static int file_to_keep(const struct connection *c)
{
    char path[4096];
    if (option.keep == NULL || c->begun > 0)
        return -1;
    if (snprintf(path, sizeof path, "%s%u", option.keep, c->number) >= (int)sizeof path)
        refuse("the prefix of --keep is too long");
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        die(path);
    return file;
}

/* Begins this connection's next request, if there is to be one. */
static void begin(struct connection *c)
{
    if (option.requests > 0 ? c->begun == option.requests : now_ns() >= ends_ns) {
        retire(c);
        return;
    }
    c->request = &plan.requests[next_request++ % plan.count];
    make_unique(c);
    expect_answer(&c->answer, file_to_keep(c));
    c->begun += 1;
    c->sent = 0;
    c->began_ns = c->moved_ns = now_ns();
    (void)send_more(c); /* a broken connection turns readable, and run() finds it broken */
}

static void count_answer(struct connection *c)
{
    uint64_t now = now_ns();
    result.status[c->answer.status] += 1; /* warm-up too: a wrong answer is wrong at any time */
    if (c->request->answer_bytes >= 0 && c->answer.body != (uint64_t)c->request->answer_bytes)
        result.wrong_length += 1;
    c->finished += 1;
    if (option.requests == 0 && (now < opens_ns || now >= ends_ns))
        return;
    if (result.counted == result.room) {
        result.room = result.room > 0 ? 2 * result.room : 65536;
        result.latencies_us =
            reallocarray(result.latencies_us, result.room, sizeof *result.latencies_us);
        if (result.latencies_us == NULL)
            die("reallocarray");
    }
    result.latencies_us[result.counted++] = (uint32_t)((now - c->began_ns) / 1000);
    last_ns = now;
}

/* One request is over, well or badly: counts it and begins the next. */
static void finish(struct connection *c, enum outcome outcome)
{
    bool usable = outcome == ANSWERED && !c->answer.closes && c->sent == c->request->length;
    if (outcome == ANSWERED)
        count_answer(c);
    result.closed += outcome == CLOSED;
    result.malformed += outcome == MALFORMED;
    if (result.closed + result.malformed > MAX_FAILURES)
        refuse("the server breaks off nearly every request");
    if (c->answer.keep >= 0)
        close(c->answer.keep);
    if (!usable)
        reconnect(c);
    begin(c);
}

/* Gives up what has not moved for long: a benchmark ends, whatever the server does. */
static void end_stalled(void)
{
    uint64_t now = now_ns();
    for (unsigned i = 0; i < option.connections; i++) {
        struct connection *c = &connections[i];
        if (c->fd >= 0 && now > c->moved_ns + STALL_SECONDS * SECOND_NS) {
            result.stalled += 1;
            retire(c);
        }
    }
}

static enum outcome go_on(struct connection *c, uint32_t events)
{
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        c->moved_ns = now_ns();
        return receive_answer(&c->answer, c->fd, &result.bytes_received);
    }
    return send_more(c) ? GOING_ON : CLOSED;
}

static void run(void)
{
    struct epoll_event events[MAX_CONNECTIONS];
    while (done < option.connections) {
        int count = epoll_wait(poll_fd, events, MAX_CONNECTIONS, 1000);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            enum outcome outcome = go_on(c, events[i].events);
            if (outcome != GOING_ON)
                finish(c, outcome);
        }
        if (count == 0)
            end_stalled();
    }
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The latency in milliseconds that `share` of the answers did not exceed. */
static double percentile(double share)
{
    if (result.counted == 0)
        return 0;
    size_t rank = (size_t)(share * (double)result.counted);
    return result.latencies_us[rank < result.counted ? rank : result.counted - 1] / 1000.0;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void report(void)
{
    struct rusage usage;
    uint64_t end = option.requests > 0 ? last_ns : ends_ns;
    double seconds = end > opens_ns ? (double)(end - opens_ns) / 1e9 : 0;
    getrusage(RUSAGE_SELF, &usage);
    if (result.counted > 0)
        qsort(result.latencies_us, result.counted, sizeof *result.latencies_us, ascending);
    printf("{\"counted\": %" PRIu64 ", \"seconds\": %.6f, \"rate\": %.3f, ", result.counted, seconds,
           seconds > 0 ? (double)result.counted / seconds : 0);
    printf("\"p50_ms\": %.3f, \"p95_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, ",
           percentile(0.50), percentile(0.95), percentile(0.99), percentile(1));
    printf("\"bytes_sent\": %" PRIu64 ", \"bytes_received\": %" PRIu64 ", \"cpu_seconds\": %.3f, ",
           result.bytes_sent, result.bytes_received,
           seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    printf("\"wrong_length\": %" PRIu64 ", \"closed\": %" PRIu64 ", \"malformed\": %" PRIu64
           ", \"stalled\": %" PRIu64 ", \"reconnects\": %" PRIu64 ", \"status\": {",
           result.wrong_length, result.closed, result.malformed, result.stalled, result.reconnects);
    const char *comma = "";
    for (int i = 0; i < STATUSES; i++) {
        if (result.status[i] == 0)
            continue;
        printf("%s\"%d\": %" PRIu64, comma, i, result.status[i]);
        comma = ", ";
    }
    printf("}, \"finished\": [");
    for (unsigned i = 0; i < option.connections; i++)
        printf("%s%" PRIu64, i > 0 ? ", " : "", connections[i].finished);
    printf("]}\n");
}

static bool parse_option(const char *name, const char *value)
{
    if (strcmp(name, "--plan") == 0)
        option.plan = value;
    else if (strcmp(name, "--keep") == 0)
        option.keep = value;
    else if (strcmp(name, "--port") == 0)
        option.port = (uint16_t)strtoul(value, NULL, 10);
    else if (strcmp(name, "--connections") == 0)
        option.connections = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--warmup") == 0)
        option.warmup = strtod(value, NULL);
    else if (strcmp(name, "--seconds") == 0)
        option.seconds = strtod(value, NULL);
    else if (strcmp(name, "--requests") == 0)
        option.requests = strtoull(value, NULL, 10);
    else if (strcmp(name, "--first") == 0)
        option.first = strtoull(value, NULL, 10);
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    bool understood = argc % 2 == 1;
    for (int i = 1; i + 1 < argc; i += 2)
        understood = parse_option(argv[i], argv[i + 1]) && understood;
    if (!understood || option.plan == NULL || option.port == 0 || option.connections < 1 ||
        option.connections > MAX_CONNECTIONS || option.warmup < 0 || option.seconds <= 0)
        refuse("usage: load --port PORT --plan FILE [--connections 1..256] [--warmup S] "
               "[--seconds S | --requests N] [--first SERIAL] [--keep PREFIX]");
    plan = read_plan(option.plan);
    connections = calloc(option.connections, sizeof *connections);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || poll_fd < 0)
        die("calloc or epoll_create1");
    for (unsigned i = 0; i < option.connections; i++) {
        connections[i].number = i;
        open_connection(&connections[i]);
    }
    opens_ns = now_ns() + (uint64_t)(option.requests > 0 ? 0 : option.warmup * 1e9);
    ends_ns = opens_ns + (uint64_t)(option.seconds * 1e9);
    for (unsigned i = 0; i < option.connections; i++)
        begin(&connections[i]);
    run();
    report();
    return 0;
}
