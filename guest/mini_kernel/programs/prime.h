/*
 * Prime numbers by trial division: the plainest loop that a processor can be given.
 */
#pragma once

int is_prime(int a);
