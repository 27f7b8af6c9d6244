"""Reads captions."""

from musubi_tuner.files import encode

if __name__ == "__main__":
    encode("flux_2_cache_text_encoder_outputs.py", "captions", "{}_f2k9b_te.safetensors")
