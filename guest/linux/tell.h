/* Telling the machine underneath: bytes to its ports, through /dev/port. For programs without a C
 * library that are each one file; the first of them makes the device. */
#pragma once

#include <stdint.h>

#include "guest/linux/calls.h"

#define PORT_E9 0xE9

enum { READ_ONLY = 0, WRITE_ONLY = 1, READ_AND_WRITE = 2 };

static int32_t tell_ports;

static inline void tell_begin(void)
{
	tell_ports = CALL(open, "/dev/port", WRITE_ONLY, 0);
}

static inline void tell_port(uint16_t port, char byte)
{
	CALL(lseek, tell_ports, port, 0);
	CALL(write, tell_ports, &byte, 1);
}

static inline void tell(const char *text)
{
	while (*text)
		tell_port(PORT_E9, *text++);
}
