/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.h - internal: the inner loops of shape.c, sixteen bytes at a time where
 * there is SSE2 (every x86-64), else one by one.  -DNL_SCALAR takes the latter.
 *
 * Nothing here needs to be told where the line ends: behind it is a newline, which
 * is part of no literal and no value, and NL_SHAPE_PAD bytes from there may be read.
 * Values end where a byte is none of theirs: whether that is the right byte the
 * literal behind them says.
 */
#ifndef NL_SCAN_H
#define NL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined __SSE2__ && !defined NL_SCALAR
#include <emmintrin.h>
#define NL_SIMD 1
#else
#define NL_SIMD 0
#endif

#define LITERAL_MAX 64

/* Text that is the same in every line of a shape; 0 behind it. */
struct literal { unsigned n, mask; char s[LITERAL_MAX]; };      /* mask: a bit for each of the first sixteen bytes */

enum letters { LETTERS_POLICY, LETTERS_KIND, LETTERS_WORD, LETTERS_TEXT };      /* as factkey.h has them; text: ASCII without escapes */

#if NL_SIMD

typedef __m128i v16;

static inline v16 load(const char *p)
{
	return _mm_loadu_si128((const v16 *)(const void *)p);
}

static inline v16 all(int ch)
{
	return _mm_set1_epi8((char)ch);
}

/* Bytes from low to high, as unsigned. */
static inline v16 within(v16 x, int low, int high)
{
	v16 d = _mm_sub_epi8(x, all(low));
	return _mm_cmpeq_epi8(_mm_min_epu8(d, all(high - low)), d);
}

static inline unsigned bits(v16 x)
{
	return (unsigned)_mm_movemask_epi8(x);
}

static inline bool is_literal(const char *p, const struct literal *l)
{
	unsigned same = bits(_mm_cmpeq_epi8(load(p), load(l->s)));
	if (l->mask & ~same)
		return false;
	for (unsigned i = 16; i < l->n; i += 16) {
		unsigned at = i + 16 < l->n ? i : l->n - 16;
		if (bits(_mm_cmpeq_epi8(load(p + at), load(l->s + at))) != 0xffff)
			return false;
	}
	return true;
}

static inline v16 are_letters(v16 x, enum letters set)
{
	v16 alpha = within(_mm_or_si128(x, all(0x20)), 'a', 'z'), under = _mm_cmpeq_epi8(x, all('_'));
	switch (set) {
	case LETTERS_POLICY:            // From - to : are . / and the digits.
		return _mm_or_si128(_mm_or_si128(alpha, under), within(x, '-', ':'));
	case LETTERS_KIND:
		return within(x, 'a', 'z');
	case LETTERS_WORD:
		return _mm_or_si128(_mm_or_si128(_mm_or_si128(alpha, under), within(x, '0', '9')),
		                    _mm_or_si128(_mm_cmpeq_epi8(x, all('-')), _mm_cmpeq_epi8(x, all('+'))));
	default:
		return _mm_andnot_si128(_mm_or_si128(_mm_cmpeq_epi8(x, all('"')), _mm_cmpeq_epi8(x, all('\\'))), within(x, ' ', 0x7f));
	}
}

/* How many bytes are such letters. */
static inline size_t letters(const char *p, enum letters set)
{
	for (size_t i = 0; ; i += 16) {
		unsigned others = bits(are_letters(load(p + i), set)) ^ 0xffff;
		if (others)
			return i + (unsigned)__builtin_ctz(others);
	}
}

/* n at least 16.  The barrier keeps compilers from making it `rep movs`, which takes longer to begin than this does. */
static inline void copy(void *to, const void *from, size_t n)
{
	for (size_t i = 0; i < n; i += 16) {
		size_t at = i + 16 < n ? i : n - 16;
		_mm_storeu_si128((v16 *)(void *)((char *)to + at), load((const char *)from + at));
		__asm__ volatile("");
	}
}

/* How many digits, 16 at most. */
static inline unsigned digits(const char *p)
{
	return (unsigned)__builtin_ctz(bits(within(load(p), '0', '9')) ^ 0x1ffff);
}

static inline bool hex16(const char *p, uint64_t *v)
{
	v16 x = load(p), digit = within(x, '0', '9'), af = within(x, 'a', 'f');
	if (bits(_mm_or_si128(digit, af)) != 0xffff)
		return false;
	// '0' is 0x30 and 'a' 0x61: the low half, and 9 more for letters.
	v16 half = _mm_add_epi8(_mm_and_si128(x, all(0x0f)), _mm_and_si128(af, all(9)));
	v16 byte = _mm_and_si128(_mm_or_si128(_mm_slli_epi16(half, 4), _mm_srli_epi16(half, 8)), _mm_set1_epi16(0xff));
	int64_t le;
	_mm_storel_epi64((v16 *)(void *)&le, _mm_packus_epi16(byte, byte));
	*v = __builtin_bswap64((uint64_t)le);
	return true;
}

/* n digits, 1 to 8. */
static inline uint64_t number8(const char *p, unsigned n)
{
	uint64_t v;
	memcpy(&v, p, 8);
	v = (v - 0x3030303030303030u) << (64 - 8 * n);
	v = v * 10 + (v >> 8);
	return ((v & 0x000000ff000000ffu) * (100 + (1000000ull << 32)) + ((v >> 16 & 0x000000ff000000ffu) * (1 + (10000ull << 32)))) >> 32;
}

#else

static inline bool is_literal(const char *p, const struct literal *l)
{
	return strncmp(p, l->s, l->n) == 0;
}

static inline void copy(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
}

static inline bool is_letter(char ch, enum letters set)
{
	bool lower = ch >= 'a' && ch <= 'z', name = lower || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '_' || ch == '-';
	switch (set) {
	case LETTERS_POLICY:
		return name || ch == '.' || ch == '/' || ch == ':';
	case LETTERS_KIND:
		return lower;
	case LETTERS_WORD:
		return name || ch == '+';
	default:
		return (ch >= ' ' && (ch & 0x80) == 0) && ch != '"' && ch != '\\';
	}
}

static inline size_t letters(const char *p, enum letters set)
{
	size_t n = 0;
	while (is_letter(p[n], set))
		n++;
	return n;
}

static inline unsigned digits(const char *p)
{
	unsigned n = 0;
	while (n < 16 && p[n] >= '0' && p[n] <= '9')
		n++;
	return n;
}

static inline bool hex16(const char *p, uint64_t *v)
{
	*v = 0;
	for (unsigned i = 0; i < 16; i++) {
		if (!(p[i] >= '0' && p[i] <= '9') && !(p[i] >= 'a' && p[i] <= 'f'))
			return false;
		*v = *v << 4 | (unsigned)(p[i] <= '9' ? p[i] - '0' : p[i] - 'a' + 10);
	}
	return true;
}

static inline uint64_t number8(const char *p, unsigned n)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < n; i++)
		v = v * 10 + (unsigned)(p[i] - '0');
	return v;
}

#endif

/* n digits, 1 to 16. */
static inline uint64_t number16(const char *p, unsigned n)
{
	return n <= 8 ? number8(p, n) : number8(p, n - 8) * 100000000 + number8(p + n - 8, 8);
}

#endif
