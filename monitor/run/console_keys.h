/* Keys of the console that are for us and not for the guest: Ctrl-A, and a letter behind it.
 *
 * Only with boot option console-keys=yes; then each byte that is typed passes here first, and the
 * guest takes what is left when it has room. So a guest that does not read its console, or has
 * hung, keeps no key from us until it has left a ring of bytes unread. Ctrl-A twice is one Ctrl-A
 * for the guest. Pure: it must not know what a key makes happen. */
#ifndef MONITOR_RUN_CONSOLE_KEYS_H
#define MONITOR_RUN_CONSOLE_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#define CONSOLE_KEYS_PREFIX   0x01 /* Ctrl-A */
#define CONSOLE_KEYS_COUNTERS 'c'
#define CONSOLE_KEYS_WAITING  64u

enum console_key {
	CONSOLE_KEY_NONE,     /* it was the guest's, or the first of two */
	CONSOLE_KEY_COUNTERS, /* all that has been counted, to the log */
	CONSOLE_KEY_UNKNOWN,
};

struct console_keys {
	bool prefixed; /* the next byte is a key */
	char waiting[CONSOLE_KEYS_WAITING];
	uint32_t head, tail; /* of what is the guest's; they only grow */
};

/* Whether one more may be typed. */
static inline bool console_keys_has_room(const struct console_keys *keys)
{
	return keys->head - keys->tail < CONSOLE_KEYS_WAITING;
}

enum console_key console_keys_type(struct console_keys *keys, char c);

/* What is for the guest, in order; false when there is nothing. */
bool console_keys_read(struct console_keys *keys, char *c);

#endif
