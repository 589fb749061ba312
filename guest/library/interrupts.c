#include "guest/library/interrupts.h"

#include "guest/library/ports.h"
#include "guest/library/traps.h"

#define MASTER_COMMAND 0x20
#define MASTER_DATA    0x21
#define SLAVE_COMMAND  0xA0
#define SLAVE_DATA     0xA1

#define ICW1_INIT_4     0x11
#define ICW4_8086       0x01
#define OCW2_END        0x60 /* specific: the line's number is added */
#define OCW3_REQUESTS   0x0A
#define OCW3_IN_SERVICE 0x0B

#define TIMER_0        0x40
#define TIMER_COMMAND  0x43
#define TIMER_0_MODE_0 0x30
#define TIMER_0_MODE_2 0x34

void interrupts_init(void)
{
	port_write8(MASTER_COMMAND, ICW1_INIT_4);
	port_write8(MASTER_DATA, VECTOR_IRQ0);
	port_write8(MASTER_DATA, 1 << IRQ_CASCADE);
	port_write8(MASTER_DATA, ICW4_8086);
	port_write8(SLAVE_COMMAND, ICW1_INIT_4);
	port_write8(SLAVE_DATA, VECTOR_IRQ0 + 8);
	port_write8(SLAVE_DATA, IRQ_CASCADE);
	port_write8(SLAVE_DATA, ICW4_8086);
	port_write8(MASTER_DATA, 0xFF & ~(1 << IRQ_CASCADE));
	port_write8(SLAVE_DATA, 0xFF);
}

static uint16_t interrupt_mask_port(unsigned irq)
{
	return irq < 8 ? MASTER_DATA : SLAVE_DATA;
}

void interrupt_unmask(unsigned irq)
{
	uint16_t port = interrupt_mask_port(irq);
	port_write8(port, (uint8_t)(port_read8(port) & ~(1u << (irq & 7))));
}

void interrupt_mask(unsigned irq)
{
	uint16_t port = interrupt_mask_port(irq);
	port_write8(port, (uint8_t)(port_read8(port) | 1u << (irq & 7)));
}

void interrupt_end(unsigned irq)
{
	if (irq >= 8)
		port_write8(SLAVE_COMMAND, (uint8_t)(OCW2_END | (irq & 7)));
	port_write8(MASTER_COMMAND, (uint8_t)(OCW2_END | (irq >= 8 ? IRQ_CASCADE : irq)));
}

static uint16_t interrupt_read(uint8_t which)
{
	port_write8(MASTER_COMMAND, which);
	port_write8(SLAVE_COMMAND, which);
	return (uint16_t)(port_read8(SLAVE_COMMAND) << 8 | port_read8(MASTER_COMMAND));
}

uint16_t interrupt_requests(void)
{
	return interrupt_read(OCW3_REQUESTS);
}

uint16_t interrupts_in_service(void)
{
	return interrupt_read(OCW3_IN_SERVICE);
}

bool interrupt_is_real(unsigned irq)
{
	if (irq != 7 && irq != 15)
		return true;
	if (interrupts_in_service() & 1u << irq)
		return true;
	/* The master did deliver its cascade line for a slave that then had nothing. */
	if (irq == 15)
		port_write8(MASTER_COMMAND, OCW2_END | IRQ_CASCADE);
	return false;
}

static void timer_start(uint8_t mode, uint16_t count)
{
	port_write8(TIMER_COMMAND, mode);
	port_write8(TIMER_0, (uint8_t)count);
	port_write8(TIMER_0, (uint8_t)(count >> 8));
}

void timer_start_periodic(uint32_t hz)
{
	timer_start(TIMER_0_MODE_2, (uint16_t)(TIMER_HZ / hz));
}

void timer_start_once(uint16_t ticks)
{
	timer_start(TIMER_0_MODE_0, ticks);
}
