#define _GNU_SOURCE
#include "plan.h"

#include "fail.h"

#include <inttypes.h>

#define LARGEST_REQUEST (UINT64_C(1) << 30)
#define MOST_PATCHES UINT64_C(1000000)

static void read_patch(FILE *file, const struct request *r, struct patch *p)
{
    if (fscanf(file, "%" SCNu64 " %" SCNu64 " %" SCNu64, &p->offset, &p->index, &p->divisor) != 3 ||
        fgetc(file) != '\n' || p->divisor == 0 || p->offset > r->length ||
        r->length - p->offset < UID_DIGITS)
        refuse("a patch of the plan is malformed");
}

static void read_patches_and_bytes(FILE *file, struct request *r)
{
    if (fgetc(file) != '\n' || r->length == 0 || r->length > LARGEST_REQUEST ||
        r->patch_count > MOST_PATCHES)
        refuse("a request of the plan is malformed");
    r->patches = calloc(r->patch_count + 1, sizeof *r->patches);
    r->bytes = malloc(r->length);
    if (r->patches == NULL || r->bytes == NULL)
        die("malloc");
    for (uint64_t i = 0; i < r->patch_count; i++)
        read_patch(file, r, &r->patches[i]);
    if (fread(r->bytes, 1, r->length, file) != r->length)
        refuse("the plan ends within a request");
}

struct plan read_plan(const char *path)
{
    struct plan plan = {0};
    struct request r = {0};
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        die(path);
    while (fscanf(file, "request %" SCNu64 " %" SCNd64 " %" SCNu64 " %" SCNu64, &r.length,
                  &r.answer_bytes, &r.serials, &r.patch_count) == 4) {
        read_patches_and_bytes(file, &r);
        plan.requests = reallocarray(plan.requests, plan.count + 1, sizeof r);
        if (plan.requests == NULL)
            die("reallocarray");
        plan.requests[plan.count++] = r;
    }
    if (plan.count == 0 || !feof(file))
        refuse("the plan is empty or malformed");
    fclose(file);
    return plan;
}

static void write_digits(char *where, uint64_t number)
{
    for (int i = UID_DIGITS - 1; i >= 0; i--) {
        where[i] = (char)('0' + number % 10);
        number /= 10;
    }
}

void patch_uids(const struct request *request, char *copy, uint64_t serial)
{
    for (uint64_t i = 0; i < request->patch_count; i++) {
        const struct patch *p = &request->patches[i];
        write_digits(copy + p->offset, (serial + p->index) / p->divisor);
    }
}
