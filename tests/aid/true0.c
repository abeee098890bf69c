/* SPDX-License-Identifier: Apache-2.0 */
/*
 * true0.c - exits with the digit that it is given, 0 without.  Linked static
 * it is about the cheapest command there is, so that a measurement of a
 * wrapper is not a measurement of what it wraps.
 */

int main(int argc, char **argv)
{
	return argc > 1 ? argv[1][0] - '0' : 0;
}
