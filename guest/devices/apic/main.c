#include "guest/library/apic.h"
#include "guest/library/cpu.h"
#include "guest/library/interrupts.h"
#include "guest/library/ports.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"
#include "guest/library/traps.h"

#define VECTOR_LOW      0x41
#define VECTOR_HIGH     0x51
#define VECTOR_SPURIOUS 0xFF
#define TIMER_PIN       2 /* where a PC's I/O APIC has the 8254 */
#define LOG             8
#define SHORT           2000     /* ticks of the 8254: 1.7 ms */
#define PATIENCE        10000000 /* turns of a loop */
#define ROUNDS          5

static volatile uint8_t seen[LOG];
static volatile uint32_t count;

static void on_apic(struct trap_frame *frame)
{
	if (count < LOG)
		seen[count] = (uint8_t)frame->vector;
	count++;
	apic_write(APIC_END, 0);
}

static void on_8259(struct trap_frame *frame)
{
	if (count < LOG)
		seen[count] = (uint8_t)frame->vector;
	count++;
	interrupt_end(IRQ_TIMER);
}

/* From the APIC, and from the 8259 when a request goes away before it is taken, as when the timer
 * is set anew. Neither has an end. */
static void on_spurious(struct trap_frame *frame)
{
	(void)frame;
}

static void open_for_a_moment(void)
{
	cpu_enable_interrupts();
	__asm__ volatile("nop; nop; nop; nop");
	cpu_disable_interrupts();
}

/* With interrupts on, until so many have come. */
static bool wait_for(uint32_t wanted)
{
	cpu_enable_interrupts();
	for (uint32_t turns = 0; count < wanted && turns < PATIENCE; turns++)
		__asm__ volatile("pause");
	cpu_disable_interrupts();
	return count >= wanted;
}

static void send_to_self(uint8_t vector)
{
	apic_write(APIC_COMMAND, APIC_TO_SELF | vector);
}

static void check_registers(void)
{
	uint32_t version = apic_read(APIC_VERSION);

	test_check((version & 0xF0) == 0x10 && (version >> 16 & 0xFF) >= 3,
	           "the version register says that it is integrated, with its entries");
	test_check(cpu_read_msr(0x1B) >> 12 == 0xFEE00 && cpu_read_msr(0x1B) & 0x800,
	           "the base register says where it is, and that it is on");
	test_check((io_apic_read(1) >> 16 & 0xFF) == 23, "the I/O APIC has 24 pins");
}

static void check_priorities(void)
{
	count = 0;
	send_to_self(VECTOR_LOW);
	send_to_self(VECTOR_HIGH);
	test_check(apic_read(APIC_REQUESTS + 0x20) == 0x20002, "both are requested");
	open_for_a_moment();
	test_check(count == 2 && seen[0] == VECTOR_HIGH && seen[1] == VECTOR_LOW,
	           "the higher vector comes first");
	count = 0;
	apic_write(APIC_TASK_PRIORITY, 0x40);
	send_to_self(VECTOR_LOW);
	open_for_a_moment();
	test_check(count == 0, "the task priority holds its class back");
	test_check(apic_read(APIC_PRIORITY) == 0x40, "the processor priority says so");
	send_to_self(VECTOR_HIGH);
	open_for_a_moment();
	test_check(count == 1 && seen[0] == VECTOR_HIGH, "and lets a higher one pass");
	apic_write(APIC_TASK_PRIORITY, 0);
	open_for_a_moment();
	test_check(count == 2 && seen[1] == VECTOR_LOW, "what was held back comes then");
}

static void check_one_shot(void)
{
	count = 0;
	apic_write(APIC_DIVIDE, APIC_DIVIDE_1);
	apic_write(APIC_TIMER, VECTOR_LOW);
	apic_write(APIC_INITIAL, 1000000);
	test_check(apic_read(APIC_CURRENT) <= 1000000, "the counter counts down");
	test_check(wait_for(1) && seen[0] == VECTOR_LOW, "the one-shot timer interrupts");
	test_check(apic_read(APIC_CURRENT) == 0, "and stands at zero");
	wait_for(0);
	test_check(count == 1, "once");
}

static void check_periodic(void)
{
	count = 0;
	apic_write(APIC_TIMER, VECTOR_LOW | APIC_PERIODIC);
	apic_write(APIC_INITIAL, 1000000);
	test_check(wait_for(ROUNDS), "the periodic timer interrupts again and again");
	apic_write(APIC_TIMER, VECTOR_LOW | APIC_MASKED | APIC_PERIODIC);
	open_for_a_moment(); /* one may have been requested just before */
	count = 0;
	open_for_a_moment();
	test_check(count == 0 && apic_read(APIC_CURRENT) != 0, "masked, it counts in silence");
	apic_write(APIC_INITIAL, 0);
	test_check(apic_read(APIC_CURRENT) == 0, "an initial count of zero stops it");
}

static void check_virtual_wire(void)
{
	count = 0;
	trap_set_handler(VECTOR_IRQ0 + IRQ_TIMER, on_8259);
	interrupt_unmask(IRQ_TIMER);
	timer_start_once(SHORT);
	test_check(wait_for(1) && seen[0] == VECTOR_IRQ0 + IRQ_TIMER,
	           "the 8259's interrupts pass through LINT0");
	uint32_t before = apic_read(APIC_LINT0);
	apic_write(APIC_LINT0, before | APIC_MASKED);
	count = 0;
	timer_start_once(SHORT);
	while (!(interrupt_requests() & 1u << IRQ_TIMER))
		;
	open_for_a_moment();
	test_note("%s", count ? "they pass a masked LINT0, too: this is Bochs"
	                      : "a masked LINT0 holds them back");
	apic_write(APIC_LINT0, before);
	open_for_a_moment();
	test_check(count == 1, "one request is one interrupt");
	interrupt_mask(IRQ_TIMER);
}

static void check_routing(void)
{
	count = 0;
	io_apic_route(TIMER_PIN, VECTOR_HIGH);
	timer_start_once(SHORT);
	test_check(wait_for(1) && seen[0] == VECTOR_HIGH,
	           "the 8254 reaches its vector through the I/O APIC");
	io_apic_route(TIMER_PIN, VECTOR_HIGH | APIC_MASKED);
	count = 0;
	interrupt_unmask(IRQ_TIMER);
	timer_start_once(SHORT);
	while (!(interrupt_requests() & 1u << IRQ_TIMER))
		;
	interrupt_mask(IRQ_TIMER);
	open_for_a_moment();
	test_check(count == 0, "a masked pin is silent");
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("apic", "the local APIC orders, times and passes interrupts, and the I/O APIC "
	                   "sends them where its entries say");
	if (!apic_is_there())
		test_skip("this processor has no local APIC");
	trap_set_handler(VECTOR_LOW, on_apic);
	trap_set_handler(VECTOR_HIGH, on_apic);
	trap_set_handler(VECTOR_SPURIOUS, on_spurious);
	trap_set_handler(VECTOR_IRQ0 + 7, on_spurious);
	apic_start(VECTOR_SPURIOUS);
	check_registers();
	check_priorities();
	check_one_shot();
	check_periodic();
	check_virtual_wire();
	check_routing();
	test_end();
}
