#include "guest/mini_kernel/programs/shell.h"

#include "guest/mini_kernel/programs/programs.h"
#include "guest/mini_kernel/programs/user.h"

#define LINE_SIZE 64
#define BACKSPACE 8
#define DELETE    127

/* Reads and echoes a line; what does not fit is not taken. */
static void shell_read_line(char *line)
{
	uint32_t length = 0;
	for (;;) {
		char c = user_read();
		if (c == '\r' || c == '\n')
			break;
		if ((c == BACKSPACE || c == DELETE) && length) {
			length--;
			say("\b \b");
		} else if (c >= ' ' && c < DELETE && length < LINE_SIZE - 1) {
			line[length++] = c;
			say("%c", c);
		}
	}
	line[length] = 0;
	say("\n");
}

/* "name rest": the name is cut off in place, and the rest returned. */
static const char *shell_split(char *line)
{
	while (*line && *line != ' ')
		line++;
	if (*line)
		*line++ = 0;
	while (*line == ' ')
		line++;
	return line;
}

static bool shell_knows(const char *name)
{
	static const char *const names[] = {
#define PROGRAM(program, argument, text) text[0] ? #program : "",
#include "guest/mini_kernel/programs/programs.def"
#undef PROGRAM
	};
	for (uint32_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (user_same(names[i], name))
			return true;
	return false;
}

static void shell_run(char *line)
{
	while (*line == ' ')
		line++;
	const char *argument = shell_split(line);
	if (!*line)
		return;
	if (shell_knows(line))
		user_run(line, argument);
	else
		say("%s: not a command; help lists them\n", line);
}

void program_shell(const char *argument)
{
	char line[LINE_SIZE];
	(void)argument;
	say("  Type help for the commands.\n\n");
	for (;;) {
		say("mini> ");
		shell_read_line(line);
		shell_run(line);
	}
}

void program_demo(const char *argument)
{
	static const char *const shown[][2] = {
	        {"help", ""},  {"prime", "97"}, {"fault", ""}, {"fork", ""},
	        {"crash", ""}, {"ps", ""},      {"mem", ""},   {"stress", "2"},
	};
	(void)argument;
	for (uint32_t i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
		say("mini> %s %s\n", shown[i][0], shown[i][1]);
		user_run(shown[i][0], shown[i][1]);
		say("\n");
	}
	say("mini> off\n");
	user_run("off", "");
	user_exit(1);
}

void program_first(const char *argument)
{
	char line[LINE_SIZE];
	uint32_t length = 0;
	for (; length < LINE_SIZE - 1 && argument[length]; length++)
		line[length] = argument[length];
	line[length] = 0;
	const char *rest = shell_split(line);
	if (*line) {
		user_run(line, rest);
		user_run("off", "");
	}
	for (;;)
		user_run("shell", "");
}
