// The mass of a near field as features estimate it: what both passes share. Everything runs row by row over vectors of
// features. Rows of keys and of queries alike have u less the fraction of D, and the whole part of D beside it.
#pragma once
#include "favor/near-field/far-field.h"

namespace KERNELS_NAMESPACE {

// Σ K′ over some keys: sums·2^scale for every feature; the scales are whole, -inf before the first key.
struct Mass {
  Index stride;
  float *sums, *scale;

  static Index size(Index stride) { return 2 * stride; }
  Mass(float* storage, Index stride) : stride(stride), sums(storage), scale(storage + stride) {}

  void reset() const {
    fillZero(sums, stride);
    fillValue(scale, stride, -kInfinity);
  }
  void copyFrom(const Mass& other) const { copyRow(sums, other.sums, 2 * stride); }
  // A key: u and the whole part of D.
  void add(const float* u, float wholeD) const {
    const Vector whole = splat(wholeD);
    for (Index r = 0; r < stride; r += kWidth) {
      const Vector x = load(u + r), old = load(scale + r), c = maximum(wholeNear(x - whole), old);
      store(sums + r, fma(load(sums + r), powerOf(old - c), exp2Far(x, -whole, c)));
      store(scale + r, c);
    }
  }
  void add(const Mass& other) const {
    for (Index r = 0; r < stride; r += kWidth) {
      const Vector own = load(scale + r), others = load(other.scale + r), c = maximum(others, own);
      store(sums + r, fma(load(sums + r), powerOf(own - c), load(other.sums + r) * powerOf(others - c)));
      store(scale + r, c);
    }
  }
  // 2^n for whole n up to 0; 0 for -inf and for -inf less -inf.
  static Vector powerOf(Vector n) { return timesPowerOfTwo(splat(1.0f), n); }
};

// Rows of keys or of queries.
struct MassRows {
  KeyTile tile;
  Index stride;
  float* u;  // [kRows, stride], -inf beyond numFeatures

  MassRows(Arena& arena, const Projection& p) : tile(arena, p.dHead, 0), stride(p.paddedFeatures()), u(arena.floats(kRows * stride)) {}

  // All rows [first, end) at their places; masked rows are zeros, and not to be used.
  void gather(Projection& p, const Rows<const float>& rows, const float* mask, Index first, Index end) {
    tile.count = end - first;
    for (Index i = 0; i < tile.count; i++) {
      if (mask && mask[first + i] == 0) tile.setMasked(i);
      else tile.setKey(i, rows[first + i], p);
    }
    if (tile.count <= 0) return;
    tile.project(p);
    tile.logFeatures(p, 0, stride, u, stride);
    for (Index i = 0; p.numFeatures < stride && i < tile.count; i++)
      fillValue(u + i * stride + p.numFeatures, stride - p.numFeatures, -kInfinity);
  }
  const float* row(Index i) const { return u + i * stride; }
  bool isValid(Index i) const { return tile.wholeD[i] < kInfinity; }
};

// What a query reads of a mass: N = Σ_r 2^(u + c - M)·sums, and M.
struct Reading {
  float total, highest;

  Reading(const float* u, const Mass& mass) : total(0), highest(-kInfinity) {
    Vector high = splat(-kInfinity);
    for (Index r = 0; r < mass.stride; r += kWidth) high = maximum(load(u + r) + load(mass.scale + r), high);
    highest = largest(high);
    if (highest == -kInfinity) return;
    highest = wholeNear(splat(highest))[0];
    Vector sums{};
    for (Index r = 0; r < mass.stride; r += kWidth) sums = fma(feature(u, mass, r), load(mass.sums + r), sums);
    total = sum(sums);
  }
  bool isEmpty() const { return !(total > 0); }
  // Q′ of kWidth features from r on.
  Vector feature(const float* u, const Mass& mass, Index r) const { return exp2Far(load(u + r), load(mass.scale + r), splat(highest)); }
};

// A sequence of a near field by blocks.
struct MassSequence {
  Index batch, queryStart, queryLength, keyStart, keyLength, block, sinks, blocks;
  bool causal;
  Index offset;

  MassSequence(const int32_t* r, Index block, Index sinks, bool causal)
      : batch(r[0]), queryStart(r[1]), queryLength(r[2]), keyStart(r[3]), keyLength(r[4]), block(block), sinks(sinks),
        blocks((keyLength + block - 1) / block), causal(causal),
        offset(larger(-queryLength - 2 * block, smaller(keyLength + 2 * block, r[5]))) {}

  Index blockOf(Index position) const { return position >= 0 ? position / block : -((-position + block - 1) / block); }
  Index firstBlock() const { return blockOf(offset); }
  Index endBlock() const { return queryLength == 0 ? firstBlock() : blockOf(offset + queryLength - 1) + 1; }
  Stretch keysOf(Index number) const {
    return {larger(0, smaller(keyLength, number * block)), larger(0, smaller(keyLength, (number + 1) * block))};
  }
  Stretch queriesOf(Index number) const {
    return {larger(0, number * block - offset), smaller(queryLength, (number + 1) * block - offset)};
  }
  // Sinks that are in none of the blocks near to block `number`; if causal, those before it.
  bool isFarSink(Index key, Index number) const {
    const Index distance = number - blockOf(key);
    return key < sinks && (distance > 1 || (!causal && distance < -1));
  }
};

// The mass of every block's own keys, and of the sinks that are far from a block.
struct BlockMasses {
  Index stride, blocks;
  float* storage;

  BlockMasses(Arena& arena, Index stride, Index blocks) : stride(stride), blocks(blocks), storage(arena.floats(blocks * Mass::size(stride))) {}
  Mass of(Index number) const { return {storage + number * Mass::size(stride), stride}; }

  void sum(const MassSequence& sequence, Projection& p, MassRows& rows, const Rows<const float>& keys, const float* mask) const {
    for (Index number = 0; number < sequence.blocks; number++) {
      of(number).reset();
      const Stretch own = sequence.keysOf(number);
      for (Index first = own.first; first < own.end; first += kRows) {
        rows.gather(p, keys, mask, first, smaller(first + kRows, own.end));
        for (Index i = 0; i < rows.tile.count; i++)
          if (rows.isValid(i)) of(number).add(rows.row(i), rows.tile.wholeD[i]);
      }
    }
  }
};

// The mass that the first query of a block sees before its own block's keys or, bidirectional, the mass of all near keys.
static inline void gatherBase(const Mass& base, const MassSequence& sequence, const BlockMasses& masses, Index number, Projection& p,
                              MassRows& rows, const Rows<const float>& keys, const float* mask) {
  base.reset();
  const Index sinks = smaller(sequence.sinks, sequence.keyLength);
  for (Index first = 0; first < sinks; first += kRows) {
    bool any = false;
    for (Index j = first; j < smaller(first + kRows, sinks); j++) any |= sequence.isFarSink(j, number);
    if (!any) continue;
    rows.gather(p, keys, mask, first, smaller(first + kRows, sinks));
    for (Index i = 0; i < rows.tile.count; i++)
      if (rows.isValid(i) && sequence.isFarSink(first + i, number)) base.add(rows.row(i), rows.tile.wholeD[i]);
  }
  for (Index near = number - 1; near <= (sequence.causal ? number - 1 : number + 1); near++)
    if (near >= 0 && near < sequence.blocks) base.add(masses.of(near));
}

}  // namespace KERNELS_NAMESPACE
