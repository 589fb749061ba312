#include "monitor/run/console_keys.h"

static void give_to_guest(struct console_keys *keys, char c)
{
	keys->waiting[keys->head++ % CONSOLE_KEYS_WAITING] = c;
}

enum console_key console_keys_type(struct console_keys *keys, char c)
{
	bool prefixed = keys->prefixed;

	keys->prefixed = !prefixed && c == CONSOLE_KEYS_PREFIX;
	if (keys->prefixed)
		return CONSOLE_KEY_NONE;
	if (prefixed && c == CONSOLE_KEYS_COUNTERS)
		return CONSOLE_KEY_COUNTERS;
	if (prefixed && c != CONSOLE_KEYS_PREFIX)
		return CONSOLE_KEY_UNKNOWN;
	give_to_guest(keys, c);
	return CONSOLE_KEY_NONE;
}

bool console_keys_read(struct console_keys *keys, char *c)
{
	if (keys->head == keys->tail)
		return false;
	*c = keys->waiting[keys->tail++ % CONSOLE_KEYS_WAITING];
	return true;
}
