/* How the programs here give up: one line on standard error, exit status 1. */
#ifndef BENCH_FAIL_H
#define BENCH_FAIL_H

#include <stdio.h>
#include <stdlib.h>

/* A system call has failed; errno says why. */
static inline _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

/* The input or the other side is not what it must be. */
static inline _Noreturn void refuse(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

#endif
