# Ringfence: everything is built from here; `make help` lists the targets.
# Parts live in mk/: one file for each thing that is built or checked.

BUILD := build

# The first compiler flags that every part shares.
CC       := gcc
NASM     := nasm
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wundef -Wvla -Wcast-align -Wwrite-strings

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

include $(sort $(wildcard mk/*.mk))

.PHONY: all clean help
all:

clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)
