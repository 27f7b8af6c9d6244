"""Encodes pictures."""

from musubi_tuner.files import encode

if __name__ == "__main__":
    encode("flux_2_cache_latents.py", "latents", "{}_0512x0512_f2k9b.safetensors")
