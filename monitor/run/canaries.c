#include "monitor/run/canaries.h"

#include "kernel/frames.h"
#include "kernel/layout.h"
#include "kernel/log.h"
#include "kernel/options.h"
#include "kernel/page_tables.h"
#include "kernel/panic.h"
#include "kernel/print.h"
#include "kernel/windows.h"

#define PATTERN 0xC0A1A125u

/* As 32-bit FNV-1a has them. */
#define SUM_START 0x811C9DC5u
#define SUM_PRIME 0x01000193u

static char problem[160];

static mpa_t after(mpa_t first, uint32_t frames)
{
	return mpa(first.value + (uint64_t)frames * PAGE_SIZE);
}

mpa_t canaries_allocate(struct canaries *canaries, uint32_t frames, uint32_t alignment)
{
	/* As many below as keep the guest's memory aligned. */
	mpa_t run = frames_allocate_run(frames + 2 * alignment, alignment, FRAME_canary);

	if (frames_is_none(run))
		return run;
	mpa_t guest = after(run, alignment);
	*canaries =
	        (struct canaries){.below = run, .above = after(guest, frames), .frames = alignment};
	frames_change_range(guest.value, canaries->above.value, FRAME_canary, FRAME_guest);
	return guest;
}

void canaries_free(const struct canaries *canaries)
{
	if (!canaries->frames)
		return;
	panic_unless(frames_free_run(canaries->below, canaries->frames, FRAME_canary));
	panic_unless(frames_free_run(canaries->above, canaries->frames, FRAME_canary));
}

/* Each word depends on its address, so that a copy from elsewhere in the pattern shows as well. */
static void fill(mpa_t first, uint32_t frames)
{
	uint32_t *word = page_tables_direct(first);
	const uint32_t *end = page_tables_direct(after(first, frames));

	for (; word < end; word++)
		*word = (uint32_t)word ^ PATTERN;
}

static const uint32_t *find_changed(mpa_t first, uint32_t frames)
{
	const uint32_t *word = page_tables_direct(first);
	const uint32_t *end = page_tables_direct(after(first, frames));

	for (; word < end; word++)
		if (*word != ((uint32_t)word ^ PATTERN))
			return word;
	return NULL;
}

/* Code, constants and symbols: what lies below the data. */
static uint32_t sum_image(void)
{
	uint32_t sum = SUM_START;

	for (const uint32_t *word = (const uint32_t *)layout_image;
	     word < (const uint32_t *)image_const_end; word++)
		sum = (sum ^ *word) * SUM_PRIME;
	return sum;
}

static void flip_bit(uint8_t *at)
{
	*at ^= 1;
}

/* What canaries=broken-… asks for: a change of one bit, as close to the guest as it can be. */
static void plant_change(const struct canaries *canaries)
{
	if (options.canaries == OPTION_CANARIES_BROKEN_BELOW)
		flip_bit((uint8_t *)page_tables_direct(after(canaries->below, canaries->frames)) -
		         1);
	if (options.canaries == OPTION_CANARIES_BROKEN_ABOVE)
		flip_bit(page_tables_direct(canaries->above));
	if (options.canaries == OPTION_CANARIES_BROKEN_CODE) {
		uint8_t *code = windows_open(mpa(layout_image_machine(image_code_end) - 1));
		flip_bit(code);
		windows_close(code);
	}
}

void canaries_start(struct canaries *canaries)
{
	if (!canaries->frames)
		return;
	fill(canaries->below, canaries->frames);
	fill(canaries->above, canaries->frames);
	canaries->image_sum = sum_image();
	log_info("canaries", "set below=0x%08llx above=0x%08llx frames-each=%u image-sum=0x%08x",
	         canaries->below.value, canaries->above.value, canaries->frames,
	         canaries->image_sum);
	plant_change(canaries);
}

static void check_side(const char *side, mpa_t first, uint32_t frames)
{
	const uint32_t *word = find_changed(first, frames);

	if (word)
		print_to_buffer(problem, sizeof(problem),
		                "memory %s the guest's has changed, at machine address %p: %08x "
		                "instead of %08x",
		                side, (const void *)word, *word, (uint32_t)word ^ PATTERN);
}

void canaries_check(const struct canaries *canaries)
{
	if (!canaries->frames)
		return;
	uint32_t sum = sum_image();
	if (sum != canaries->image_sum)
		print_to_buffer(problem, sizeof(problem),
		                "the hypervisor's code or constants have changed: sum 0x%08x "
		                "instead of 0x%08x",
		                sum, canaries->image_sum);
	check_side("below", canaries->below, canaries->frames);
	check_side("above", canaries->above, canaries->frames);
	if (problem[0]) {
		log_error("canaries", "%s", problem);
		panic("canaries: %s", problem);
	}
	log_info("canaries", "unchanged");
}
