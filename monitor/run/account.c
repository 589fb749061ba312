#include "monitor/run/account.h"

#include "kernel/log.h"
#include "kernel/options.h"
#include "kernel/statistics.h"
#include "kernel/string.h"
#include "kernel/x86.h"
#include "monitor/instructions/decode.h"
#include "monitor/memory/guest_memory.h"
#include "monitor/memory/page_walk.h"
#include "monitor/state/vcpu.h"

#define ROWS_MOST 4096 /* of opcodes.def */
#define TRIALS    64

struct account {
	uint64_t ticks, count;
};

bool account_is_on;

static struct account accounts[CAUSES + ROWS_MOST];
static uint32_t current;
static uint64_t started, since;
static uint64_t unseen; /* what each entry costs around the two looks at the counter */

static const char *const names[CAUSES] = {
#define CAUSE(name, text) [CAUSE_##name] = #name,
#include "monitor/run/causes.def"
#undef CAUSE
};

/* The time from `began` until now is not the current cause's. */
static void charge_accounting(uint64_t began)
{
	uint64_t now = x86_read_tsc();

	accounts[CAUSE_accounting].ticks += now - began + unseen;
	since += now - began + unseen;
}

static void settle(uint64_t now)
{
	accounts[current].ticks += now - since;
	since = now;
}

void account_change(enum cause cause)
{
	uint64_t now = x86_read_tsc();

	settle(now);
	current = cause;
	accounts[current].count++;
	charge_accounting(now);
}

/* Time between two entries that nothing has passed between. */
static void calibrate(void)
{
	unseen = 0;
	for (int i = 0; i < TRIALS; i++)
		account_begin(CAUSE_chips);
	unseen = accounts[CAUSE_chips].ticks / TRIALS;
	memset(accounts, 0, sizeof(accounts));
}

void account_start(void)
{
	account_is_on = options.account == OPTION_ACCOUNT_CAUSES;
	since = x86_read_tsc();
	if (account_is_on)
		calibrate();
	started = since = x86_read_tsc();
}

static void rename(uint32_t to, uint64_t began)
{
	accounts[current].count--;
	current = to;
	accounts[current].count++;
	charge_accounting(began);
}

void account_rename(enum cause cause)
{
	rename(cause, x86_read_tsc());
}

/* Bytes of code that lie in one page, where the guest has it and has read it before. */
static uint32_t peek(struct vcpu *vcpu, uint8_t *bytes)
{
	uint32_t at = vcpu->segments[VCPU_CS].base + vcpu->eip, error;
	uint32_t in_page = at % GUEST_PAGE_SIZE, count = GUEST_PAGE_SIZE - in_page;
	struct page_walk found;

	if (count > INSTRUCTION_MAX_LENGTH)
		count = INSTRUCTION_MAX_LENGTH;
	if (!page_walk(vcpu, gva(at - in_page), PAGE_WALK_AGAIN, &found, &error))
		return 0;
	guest_memory_read(vcpu->vm, gpa(found.page.value + in_page), bytes, count);
	return count;
}

void account_rename_by_instruction(struct vcpu *vcpu)
{
	bool is_big = vcpu->segments[VCPU_CS].attributes & VCPU_ATTRIBUTE_BIG;
	uint8_t bytes[INSTRUCTION_MAX_LENGTH];
	uint64_t began = x86_read_tsc();
	struct instruction in;
	uint32_t row = 0, count = peek(vcpu, bytes);

	if (count && instruction_decode(bytes, count, is_big ? 32 : 16, &in) == DECODE_OK)
		row = instruction_opcode(&in)->line;
	if (row && row < ROWS_MOST)
		rename(CAUSES + row, began);
	else
		charge_accounting(began);
}

/* A row of opcodes.def is named by its instruction and its number, for many have the same name. */
static void report_causes(uint64_t now)
{
	log_info("account", "total ticks=%llu", now - started);
	for (uint32_t i = 0; i < CAUSES; i++)
		if (accounts[i].ticks)
			log_info("account", "cause name=%s count=%llu ticks=%llu", names[i],
			         accounts[i].count, accounts[i].ticks);
	for (uint32_t row = 0; row < opcode_rows_count && row < ROWS_MOST; row++)
		if (accounts[CAUSES + row].ticks)
			log_info("account", "cause name=%s:%u count=%llu ticks=%llu",
			         opcode_rows[row].mnemonic, row, accounts[CAUSES + row].count,
			         accounts[CAUSES + row].ticks);
}

static void report_counters(const struct vcpu *of)
{
	for (int i = 0; i < STATISTICS; i++)
		if (statistics[i])
			log_info("account", "counter name=%s count=%llu", statistics_names[i],
			         statistics[i]);
	log_info("account", "counter name=interpreted count=%llu", of->instructions);
}

void account_report(const struct vcpu *of)
{
	uint64_t began = x86_read_tsc();

	if (options.account == OPTION_ACCOUNT_NO)
		return;
	report_counters(of);
	if (!account_is_on)
		return;
	settle(began);
	report_causes(began);
	charge_accounting(began);
}
