/*
 * Whether a number is prime, in the plainest C. Must not know who asks: it is a file of its own so
 * that it is compiled as it stands.
 */
#pragma once

/* 1 for a prime, 0 for any other number. */
int is_prime(int a);
