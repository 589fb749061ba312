/* Code that changes: written by itself, by callouts, and mapped elsewhere. */
#include "ring1.h"

#include "kernel/statistics.h"

static void start(void)
{
	run_start();
	for (uint32_t vector = 0; vector < 256; vector++)
		run_machine.ram[RUN_HANDLERS + vector * 16] = 0xF4;
	memset(statistics, 0, sizeof(statistics));
}

static void watch_and_run(void)
{
	ring1_start(NULL);
	ring1.watching = true;
	ring1_run();
}

TEST(the_next_instruction)
{
	start();
	run_write(0xC6, 0x05, 0x08, 0x00, 0x01, 0x00, 0x07, 0xB0, 0x01, 0xF4);
	watch_and_run();
	CHECK_EQ(ring1_guest->registers[VCPU_EAX] & 0xFF, 7);
}

/* rep stosb over itself: the count ends it, as the bytes it has become are not fetched before. */
TEST(the_same_instruction)
{
	start();
	run_write(0xBF, 0x0C, 0x00, 0x01, 0x00, 0xB9, 0x01, 0x00, 0x00, 0x00, 0xB0, 0x90, 0xF3,
	          0xAA, 0x43, 0xF4);
	watch_and_run();
}

/* It counts up, then down. */
TEST(a_block_that_has_run)
{
	start();
	run_write(0xB9, 0x06, 0x00, 0x00, 0x00, 0x40, 0x49, 0x74, 0x0E, 0x83, 0xF9, 0x03, 0x75,
	          0xF7, 0xC6, 0x05, 0x05, 0x00, 0x01, 0x00, 0x48, 0xEB, 0xEE, 0xF4);
	watch_and_run();
}

TEST(a_function_that_is_called)
{
	start();
	run_write(0xB9, 0x06, 0x00, 0x00, 0x00, 0xE8, 0x0A, 0x00, 0x00, 0x00, 0x88, 0x0D, 0x15,
	          0x00, 0x01, 0x00, 0x49, 0x75, 0xF2, 0xF4, 0xB3, 0x01, 0x01, 0xDA, 0xC3);
	watch_and_run();
}

/* A function writes to the place that it returns to, which callers have gone back to before: mov
 * ecx,4; call; inc eax; dec ecx; jnz back; hlt, and cmp ecx,2; jne out; mov byte [there],48; ret.
 */
TEST(the_place_that_is_returned_to)
{
	start();
	run_write(0xB9, 0x04, 0x00, 0x00, 0x00, 0xE8, 0x05, 0x00, 0x00, 0x00, 0x40, 0x49, 0x75,
	          0xF7, 0xF4, 0x83, 0xF9, 0x02, 0x75, 0x07, 0xC6, 0x05, 0x0A, 0x00, 0x01, 0x00,
	          0x48, 0xC3);
	run_machine.vm.vcpu.registers[VCPU_EAX] = 0;
	watch_and_run();
	CHECK_EQ(ring1_guest->registers[VCPU_EAX], 0);
}

/* The first block falls into the second, which lies right behind it and is then written to: cmp
 * ecx,0; jz out; inc eax; dec ecx; cmp ecx,2; jne first; mov byte [inc],48; jmp first; hlt. */
static void put_relative(uint32_t at, uint32_t target)
{
	small_put32(&run_machine, at, target - (at + 4));
}

/* call f; inc ebx; jmp to `next`. */
static void put_call(uint32_t at, uint32_t f, uint32_t next)
{
	RUN_PUT(at, 0xE8, 0, 0, 0, 0, 0x43, 0xE9, 0, 0, 0, 0);
	put_relative(at + 1, f);
	put_relative(at + 7, next);
}

/* Calls whose returns have one place in the table of returns, more than are tried in a row for it.
 * In the end f, which counts in EAX, makes dec ebx of what stands behind one of them. */
static void return_in_a_row(uint32_t changed, uint32_t when)
{
	static const uint32_t sites[] = {0x10000, 0x40000, 0x50000, 0x60000, 0x20000};
	const uint32_t count = sizeof(sites) / sizeof(sites[0]), f = 0x10100, end = 0x10200;

	start();
	for (uint32_t i = 0; i < count; i++)
		put_call(sites[i], f, i + 1 < count ? sites[i + 1] : end);
	RUN_PUT(end, 0x49, 0x0F, 0x85, 0, 0, 0, 0, 0xF4); /* dec ecx; jnz back; hlt */
	put_relative(end + 3, sites[0]);
	/* inc eax; cmp eax,when; jne out; mov byte [changed],48h+3; out: ret */
	RUN_PUT(f, 0x40, 0x83, 0xF8, (uint8_t)when, 0x75, 0x07, 0xC6, 0x05, 0, 0, 0, 0, 0x4B, 0xC3);
	small_put32(&run_machine, f + 8, sites[changed] + 5);
	run_machine.vm.vcpu.registers[VCPU_EAX] = 0;
	run_machine.vm.vcpu.registers[VCPU_ECX] = 12;
	watch_and_run();
	CHECK_EQ(ring1_guest->registers[VCPU_EAX], 12 * count);
	CHECK(ring1.exits <= 40);
}

TEST(returns_with_one_place_in_the_table)
{
	for (uint32_t changed = 0; changed < 5; changed++)
		for (uint32_t when = 5; when < 40; when++)
			return_in_a_row(changed, when);
}

TEST(a_block_that_is_fallen_into_in_a_loop)
{
	start();
	run_write(0x83, 0xF9, 0x00, 0x74, 0x10, 0x40, 0x49, 0x83, 0xF9, 0x02, 0x75, 0xF4, 0xC6,
	          0x05, 0x05, 0x00, 0x01, 0x00, 0x48, 0xEB, 0xEB, 0xF4);
	run_machine.vm.vcpu.registers[VCPU_EAX] = 0;
	run_machine.vm.vcpu.registers[VCPU_ECX] = 4;
	watch_and_run();
	CHECK_EQ(ring1_guest->registers[VCPU_EAX], 0);
}

/* Only what was written is translated again. */
TEST(code_and_data_on_one_page)
{
	start();
	run_write(0xB9, 0x32, 0x00, 0x00, 0x00, 0x89, 0x0D, 0x15, 0x00, 0x01, 0x00, 0x03, 0x05,
	          0x15, 0x00, 0x01, 0x00, 0x49, 0x75, 0xF1, 0xF4, 0x00, 0x00, 0x00, 0x00);
	watch_and_run();
	CHECK_EQ(statistics[STATISTIC_blocks_dropped], 0);
}

TEST(a_block_that_others_fall_into)
{
	start();
	run_write(0xB9, 0x04, 0x00, 0x00, 0x00, 0x40, 0x83, 0xF9, 0x02, 0x75, 0x07, 0xC6, 0x05,
	          0x12, 0x00, 0x01, 0x00, 0x4B, 0x43, 0x49, 0x75, 0xEF, 0xF4);
	watch_and_run();
}

/* What was one jump is changed to go elsewhere, and then where it went is changed as well. */
TEST(a_jump_that_others_fall_into)
{
	start();
	run_write(0xB9, 0x03, 0x00, 0x00, 0x00, 0xEB, 0x00, 0x85, 0xC9, 0x74, 0x19, 0xE9, 0x04,
	          0x00, 0x00, 0x00, 0x43, 0x49, 0xEB, 0xF3, 0xC6, 0x05, 0x0C, 0x00, 0x01, 0x00,
	          0x00, 0xC6, 0x05, 0x21, 0x00, 0x01, 0x00, 0x00, 0xEB, 0xEC, 0xF4);
	watch_and_run();
}

/* mov ebx,12345678 with its last two bytes on the next page, then dec ecx; jz out; mov byte
 * [11000],55; jmp back. */
TEST(an_instruction_across_pages)
{
	const uint32_t at = RUN_CODE + GUEST_PAGE_SIZE - 3;

	start();
	RUN_PUT(at, 0xBB, 0x78, 0x56, 0x34, 0x12, 0x49, 0x74, 0x09, 0xC6, 0x05, 0x00, 0x10, 0x01,
	        0x00, 0x55, 0xEB, 0xEF, 0xF4);
	run_machine.vm.vcpu.eip = at;
	run_machine.vm.vcpu.registers[VCPU_ECX] = 3;
	watch_and_run();
	CHECK_EQ(ring1_guest->registers[VCPU_EBX], 0x12555678);
}

#define FAR_PAGE RUN_DATA
#define NEW_PAGE (RUN_DATA + 0x3000)

/* Accessed and dirty from the start: ring 1 does not go through the guest's tables here. */
#define BITS_DONE (BITS_ALL | BIT_A | BIT_D)

static uint32_t global_bits, new_page_bits;

/* A page of code is called in a loop; in the second round what is mapped there has changed, and
 * `how` tells the processor: a function that both pages have adds to EAX, each its own number. */
static void remap(const uint8_t *how, size_t size)
{
	struct vcpu *vcpu;

	start();
	vcpu = &run_machine.vm.vcpu;
	run_paging(vcpu);
	for (uint32_t page = 0; page < 256; page++)
		run_change_page(vcpu, page * GUEST_PAGE_SIZE, BITS_DONE | global_bits);
	vcpu->cr4 = VCPU_CR4_PGE;
	vcpu->registers[VCPU_EAX] = 0;
	vcpu->registers[VCPU_ECX] = 4;
	vcpu->registers[VCPU_EDI] = FAR_PAGE;
	vcpu->registers[VCPU_EDX] =
	        NEW_PAGE + (new_page_bits ? new_page_bits : BITS_DONE | global_bits);
	vcpu->registers[VCPU_EBP] = vcpu->cr3;
	RUN_PUT(FAR_PAGE, 0x83, 0xC0, 0x01, 0xC3); /* add eax,1; ret */
	RUN_PUT(NEW_PAGE, 0x83, 0xC0, 0x10, 0xC3);
	/* call edi; cmp ecx,2; jnz over; mov [the page's entry],edx; how; over: dec ecx; jnz; hlt
	 */
	RUN_PUT(RUN_CODE, 0xFF, 0xD7, 0x83, 0xF9, 0x02, 0x75, (uint8_t)(6 + size), 0x89, 0x15);
	small_put32(&run_machine, RUN_CODE + 9, RUN_TABLES + 0x1000 + FAR_PAGE / 4096 * 4);
	memcpy(run_machine.ram + RUN_CODE + 13, how, size);
	RUN_PUT(RUN_CODE + 13 + size, 0x49, 0x75, (uint8_t)(0xF0 - size), 0xF4);
	ring1_start(NULL);
	ring1_run();
}

TEST(a_page_is_mapped_elsewhere_by_invlpg)
{
	remap((const uint8_t[]){0x0F, 0x01, 0x3F}, 3); /* invlpg [edi] */
	CHECK_EQ(ring1_guest->registers[VCPU_EAX], 1 + 1 + 1 + 0x10);
	CHECK_EQ(statistics[STATISTIC_pages_remapped], 1);
}

TEST(a_page_is_mapped_elsewhere_by_cr3)
{
	remap((const uint8_t[]){0x0F, 0x22, 0xDD}, 3); /* mov cr3,ebp */
	CHECK_EQ(ring1_guest->registers[VCPU_EAX], 1 + 1 + 1 + 0x10);
}

/* The accessed bit is cleared, and set again by the next call: not by the load of CR3 before it. */
TEST(an_accessed_bit_is_set_by_the_next_fetch)
{
	uint32_t entry = RUN_TABLES + 0x1000 + FAR_PAGE / 4096 * 4;

	new_page_bits = FAR_PAGE - NEW_PAGE + BITS_ALL;
	remap((const uint8_t[]){0x0F, 0x22, 0xDD}, 3);
	new_page_bits = 0;
	CHECK_EQ(ring1_guest->registers[VCPU_EAX], 4);
	CHECK_EQ(statistics[STATISTIC_pages_remapped], 1);
	CHECK(small_get32(&ring1.machine, entry) & BIT_A);
}

/* Global pages stay in a translation buffer, and so in ours. */
TEST(a_global_page_stays_after_a_load_of_cr3)
{
	global_bits = BIT_G;
	remap((const uint8_t[]){0x0F, 0x22, 0xDD}, 3);
	global_bits = 0;
	CHECK_EQ(ring1_guest->registers[VCPU_EAX], 4);
	CHECK_EQ(statistics[STATISTIC_pages_remapped], 0);
}

/* Until it is told, a processor may go on with what it has; ours does. */
TEST(a_page_that_nobody_has_told_of)
{
	remap((const uint8_t[]){0x90, 0x90, 0x90}, 3);
	CHECK_EQ(ring1_guest->registers[VCPU_EAX], 4);
	ring1_guest->halted = ring1_plain->halted = false;
	ring1_guest->eip = ring1_plain->eip = RUN_CODE;
	linear_flush(ring1_guest, true);
	linear_flush(ring1_plain, true);
	ring1_guest->registers[VCPU_ECX] = ring1_plain->registers[VCPU_ECX] = 1;
	ring1_run();
	CHECK_EQ(ring1_guest->registers[VCPU_EAX], 4 + 0x10);
}

/* A function is called from a page that it maps elsewhere: it returns to what is there now. */
TEST(a_return_to_a_page_that_is_mapped_elsewhere)
{
	struct vcpu *vcpu;

	start();
	vcpu = &run_machine.vm.vcpu;
	run_paging(vcpu);
	for (uint32_t page = 0; page < 256; page++)
		run_change_page(vcpu, page * GUEST_PAGE_SIZE, BITS_DONE);
	vcpu->registers[VCPU_EAX] = 0;
	vcpu->registers[VCPU_ECX] = 4;
	vcpu->registers[VCPU_EDI] = FAR_PAGE;
	vcpu->registers[VCPU_EDX] = NEW_PAGE + BITS_DONE;
	RUN_PUT(RUN_CODE, 0xFF, 0xD7, 0x49, 0x75, 0xFB, 0xF4); /* call edi; dec ecx; jnz; hlt */
	/* cmp ecx,2; jne out; mov [the page's entry],edx; invlpg [edi]; out: ret */
	RUN_PUT(RUN_CODE + 0x40, 0x83, 0xF9, 0x02, 0x75, 0x09, 0x89, 0x15);
	small_put32(&run_machine, RUN_CODE + 0x47, RUN_TABLES + 0x1000 + FAR_PAGE / 4096 * 4);
	RUN_PUT(RUN_CODE + 0x4B, 0x0F, 0x01, 0x3F, 0xC3);
	/* call it; add eax,…; ret */
	RUN_PUT(FAR_PAGE, 0xE8, 0x3B, 0x00, 0xFF, 0xFF, 0x83, 0xC0, 0x01, 0xC3);
	RUN_PUT(NEW_PAGE, 0xE8, 0x3B, 0x00, 0xFF, 0xFF, 0x83, 0xC0, 0x10, 0xC3);
	ring1_start(NULL);
	ring1_run();
	CHECK_EQ(ring1_guest->registers[VCPU_EAX], 1 + 1 + 0x10 + 0x10);
}

#define STI_SIZE 11 /* mov dword gs:[interrupt_flag],… */

/* A pending interrupt is taken where IF becomes 1, one instruction later; not in between. */
TEST(no_delivery_behind_sti)
{
	uint32_t offset;

	start();
	run_write(0xFB, 0x90, 0x90, 0xF4); /* sti; nop; nop; hlt */
	ring1_start(NULL);
	CHECK_EQ(translator_find_or_make(&ring1.t, ring1_guest, &offset), TRANSLATOR_FOUND);
	CHECK(translator_at_boundary(&ring1.t, offset));
	CHECK(!translator_at_boundary(&ring1.t, offset + STI_SIZE));
	CHECK(translator_at_boundary(&ring1.t, offset + STI_SIZE + 1));
	translator_recover(&ring1.t, offset + STI_SIZE, ring1_guest);
	CHECK_EQ(ring1_guest->eip, RUN_CODE + 1);
	CHECK(ring1_guest->interrupt_shadow);
}

TEST(a_flush_forgets_everything)
{
	uint32_t offset, again;

	start();
	run_write(0xF4);
	ring1_start(NULL);
	translator_find_or_make(&ring1.t, ring1_guest, &offset);
	CHECK(ring1.watched[RUN_CODE / GUEST_PAGE_SIZE]);
	translator_flush(&ring1.t);
	CHECK(!ring1.watched[RUN_CODE / GUEST_PAGE_SIZE]);
	CHECK(!translator_find_block(&ring1.t, offset));
	translator_find_or_make(&ring1.t, ring1_guest, &again);
	CHECK_EQ(again, offset);
}

/* Also by parts, and past the end of a page. */
TEST(only_what_was_written_is_dropped)
{
	uint32_t first, second, again;

	start();
	RUN_PUT(RUN_CODE, 0x40, 0xF4); /* inc eax; hlt */
	RUN_PUT(RUN_CODE + 16, 0x43, 0xF4);
	ring1_start(NULL);
	translator_find_or_make(&ring1.t, ring1_guest, &first);
	ring1_guest->eip += 16;
	translator_find_or_make(&ring1.t, ring1_guest, &second);
	translator_written(&ring1.t, gpa(RUN_CODE + 2), 14);
	CHECK_EQ(statistics[STATISTIC_blocks_dropped], 0);
	translator_written(&ring1.t, gpa(RUN_CODE - 20), 21);
	CHECK_EQ(statistics[STATISTIC_blocks_dropped], 1);
	translator_find_or_make(&ring1.t, ring1_guest, &again);
	CHECK_EQ(again, second);
	CHECK(ring1.watched[RUN_CODE / GUEST_PAGE_SIZE]);
	translator_written(&ring1.t, gpa(RUN_CODE + 17), 1);
	CHECK(!ring1.watched[RUN_CODE / GUEST_PAGE_SIZE]);
}

TEST(what_is_not_translated_and_why)
{
	uint32_t offset;
	struct vcpu *vcpu;

	start();
	run_write(0xF4);
	ring1_start(NULL);
	vcpu = ring1_guest;
	vcpu->eflags |= VCPU_EFLAGS_TF;
	CHECK_EQ(translator_find_or_make(&ring1.t, vcpu, &offset), TRANSLATOR_UNUSUAL);
	vcpu->eflags &= ~VCPU_EFLAGS_TF;
	vcpu->interrupt_shadow = true;
	CHECK_EQ(translator_find_or_make(&ring1.t, vcpu, &offset), TRANSLATOR_UNUSUAL);
	vcpu->interrupt_shadow = false;
	vcpu->cpl = 3;
	CHECK_EQ(translator_find_or_make(&ring1.t, vcpu, &offset), TRANSLATOR_MODE);
	vcpu->cpl = 0;
	vcpu->segments[VCPU_SS].attributes &= ~VCPU_ATTRIBUTE_BIG;
	CHECK_EQ(translator_find_or_make(&ring1.t, vcpu, &offset), TRANSLATOR_MODE);
	vcpu->segments[VCPU_SS].attributes |= VCPU_ATTRIBUTE_BIG;
	vcpu->eip = 0x800000;
	CHECK_EQ(translator_find_or_make(&ring1.t, vcpu, &offset), TRANSLATOR_FETCH);
	CHECK(!vcpu->event.pending);
}

UNIT_MAIN
