#include "kernel/trace.h"

#include "kernel/print.h"
#include "kernel/x86.h"

#define RING  256
#define WORDS 3

struct record {
	uint64_t tsc;
	uint32_t event, words[WORDS];
};

static struct record ring[RING];
static uint32_t next;

static const struct {
	const char *name, *words[WORDS];
} descriptions[TRACE_EVENTS] = {
#define TRACE_EVENT(name, first, second, third) {#name, {first, second, third}},
#include "kernel/trace.def"
#undef TRACE_EVENT
};

void trace_add(enum trace_event event, uint32_t a, uint32_t b, uint32_t c)
{
	ring[next++ % RING] = (struct record){x86_read_tsc(), event, {a, b, c}};
}

size_t trace_describe(uint32_t back, char *buffer, size_t size)
{
	if (back >= RING || back >= next)
		return 0;

	const struct record *r = &ring[(next - 1 - back) % RING];
	const char *const *words = descriptions[r->event].words;
	size_t used =
	        print_to_buffer(buffer, size, "tsc=%llu %s", r->tsc, descriptions[r->event].name);
	for (int i = 0; i < WORDS && *words[i] && used < size; i++)
		used += print_to_buffer(buffer + used, size - used, " %s=0x%x", words[i],
		                        r->words[i]);
	return used;
}
