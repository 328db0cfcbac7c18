/* The little of HTTP/1.1 (RFC 9112) that the load generator and the sink share. */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* The value of header `name` in a head of `length` bytes, its blanks trimmed, or NULL.
 * `*value_length` is its length: nothing here ends with a NUL. */
static inline const char *header_value(const char *head, size_t length, const char *name,
                                       size_t *value_length)
{
    size_t name_length = strlen(name);
    const char *end = head + length;
    const char *line = memchr(head, '\n', length); /* the first line is no header */
    while (line != NULL) {
        line += 1;
        const char *next = memchr(line, '\n', (size_t)(end - line));
        const char *stop = next != NULL ? next : end;
        if ((size_t)(stop - line) > name_length && line[name_length] == ':' &&
            strncasecmp(line, name, name_length) == 0) {
            const char *value = line + name_length + 1;
            while (value < stop && isspace((unsigned char)*value))
                value += 1;
            while (stop > value && isspace((unsigned char)stop[-1]))
                stop -= 1;
            *value_length = (size_t)(stop - value);
            return value;
        }
        line = next;
    }
    return NULL;
}

/* Whether header `name` is there and its last word is `word` ("gzip, chunked" ends in chunked). */
static inline bool header_ends_with(const char *head, size_t length, const char *name,
                                    const char *word)
{
    size_t value_length = 0, word_length = strlen(word);
    const char *value = header_value(head, length, name, &value_length);
    return value != NULL && value_length >= word_length &&
           strncasecmp(value + value_length - word_length, word, word_length) == 0;
}

/* The value of Content-Length; false when it is absent or no decimal number below 10^15. */
static inline bool content_length(const char *head, size_t length, uint64_t *bytes)
{
    size_t value_length = 0;
    const char *value = header_value(head, length, "Content-Length", &value_length);
    if (value == NULL || value_length == 0 || value_length > 15)
        return false;
    uint64_t number = 0;
    for (size_t i = 0; i < value_length; i++) {
        if (!isdigit((unsigned char)value[i]))
            return false;
        number = number * 10 + (uint64_t)(value[i] - '0');
    }
    *bytes = number;
    return true;
}

#endif
