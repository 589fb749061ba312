/*
 * The machine as the operations need it: paging with two address spaces that are the same but for
 * one page, gates to the shortest handlers, and COM1's line masked.
 */
#pragma once

void setting_prepare(void);
