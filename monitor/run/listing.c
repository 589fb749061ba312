#include "monitor/run/listing.h"

#include "kernel/log.h"
#include "monitor/run/machine.h"
#include "monitor/translator/describe.h"

static void say(void *unused, const char *text)
{
	(void)unused;
	log_info("translate", "%s", text);
}

static struct describe_to to_log(const struct translator *t)
{
	const struct machine *machine = (const struct machine *)t->setup.vcpu->vm;

	return (struct describe_to){.line = say, .symbols = &machine->symbols};
}

static void made(const struct translator *t, const struct block *block)
{
	const struct describe_to to = to_log(t);

	translator_describe(t, block, &to);
}

static void chained(const struct translator *t, const struct block_link *link)
{
	const struct describe_to to = to_log(t);

	translator_describe_link(t, link, &to);
}

const struct translator_observer listing_observer = {.made = made, .chained = chained};
