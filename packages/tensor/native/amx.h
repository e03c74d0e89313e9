/* Matrix tiles: the AMX instructions, or, with AMX_EMULATED, the same arithmetic in plain C so that the code around
   them can be tested on any machine. Eight tiles of 16 rows by 64 bytes; tile numbers are literals. */
#ifndef FLACUNA_AMX_H
#define FLACUNA_AMX_H
#include <stdint.h>
#include <string.h>

#define TILE_ROWS 16
#define TILE_BYTES 64

#ifdef AMX_EMULATED

typedef union {
  uint8_t u8[TILE_ROWS][64];
  int8_t s8[TILE_ROWS][64];
  int32_t s32[TILE_ROWS][16];
  uint16_t bf16[TILE_ROWS][32];
  float f32[TILE_ROWS][16];
} EmulatedTile;
static _Thread_local EmulatedTile emulated_tiles[8];

static inline void tile_config(void) { memset(emulated_tiles, 0xff, sizeof emulated_tiles); }
static inline void tile_release(void) {}
static inline void tile_zero(int tile) { memset(&emulated_tiles[tile], 0, sizeof(EmulatedTile)); }
static inline void tile_load(int tile, const void *from, int64_t stride) {
  for (int r = 0; r < TILE_ROWS; r++) memcpy(emulated_tiles[tile].u8[r], (const char *)from + r * stride, 64);
}
static inline void tile_store(int tile, void *to, int64_t stride) {
  for (int r = 0; r < TILE_ROWS; r++) memcpy((char *)to + r * stride, emulated_tiles[tile].u8[r], 64);
}
/* c[m][n] += sum_k u8 a[m][4k + j] * s8 b[k][4n + j] */
static inline void tile_dot_u8s8(int c, int a, int b) {
  for (int m = 0; m < 16; m++)
    for (int k = 0; k < 16; k++)
      for (int n = 0; n < 16; n++)
        for (int j = 0; j < 4; j++)
          emulated_tiles[c].s32[m][n] += emulated_tiles[a].u8[m][4 * k + j] * emulated_tiles[b].s8[k][4 * n + j];
}
static inline float emulated_bfloat16(uint16_t bits) {
  uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, 4);
  return value;
}
/* c[m][n] += sum_k bf16 a[m][2k + j] * bf16 b[k][2n + j] */
static inline void tile_dot_bfloat16(int c, int a, int b) {
  for (int m = 0; m < 16; m++)
    for (int k = 0; k < 16; k++)
      for (int n = 0; n < 16; n++)
        for (int j = 0; j < 2; j++)
          emulated_tiles[c].f32[m][n] += emulated_bfloat16(emulated_tiles[a].bf16[m][2 * k + j]) *
                                         emulated_bfloat16(emulated_tiles[b].bf16[k][2 * n + j]);
}

#else
#include <immintrin.h>

/* Every tile at its full size. Needed once in each task: threads do not share the configuration. */
static inline void tile_config(void) {
  struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t column_bytes[16];
    uint8_t rows[16];
  } __attribute__((aligned(64))) config = {.palette = 1};
  for (int tile = 0; tile < 8; tile++) {
    config.column_bytes[tile] = TILE_BYTES;
    config.rows[tile] = TILE_ROWS;
  }
  _tile_loadconfig(&config);
}
#define tile_release() _tile_release()
#define tile_zero(tile) _tile_zero(tile)
#define tile_load(tile, from, stride) _tile_loadd(tile, from, stride)
#define tile_store(tile, to, stride) _tile_stored(tile, to, stride)
#define tile_dot_u8s8(c, a, b) _tile_dpbusd(c, a, b)
#define tile_dot_bfloat16(c, a, b) _tile_dpbf16ps(c, a, b)
#endif

#endif
