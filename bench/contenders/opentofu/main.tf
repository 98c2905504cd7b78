# The fleet as a user of OpenTofu would write it: image, snippet, template, clones.

terraform {
  required_providers {
    proxmox = {
      source  = "bpg/proxmox"
      version = "0.111.1"
    }
  }
}

variable "endpoint" { type = string }
variable "api_token" { type = string }
variable "ssh" { type = object({ address = string, port = number, private_key_file = string }) }
variable "ssh_public_key" { type = string }
variable "image" { type = object({ url = string, checksum = string }) }
variable "template_id" { type = number }
variable "gateway" { type = string }
variable "clones" { type = map(object({ vm_id = number, address = string })) }

provider "proxmox" {
  endpoint  = var.endpoint
  api_token = var.api_token
  ssh {
    username    = "root"
    private_key = file(var.ssh.private_key_file)
    node {
      name    = "pve1"
      address = var.ssh.address
      port    = var.ssh.port
    }
  }
}

resource "proxmox_download_file" "image" {
  node_name          = "pve1"
  datastore_id       = "local"
  content_type       = "import"
  file_name          = "noble-server-cloudimg-amd64.qcow2"
  url                = var.image.url
  checksum           = var.image.checksum
  checksum_algorithm = "sha256"
}

resource "proxmox_virtual_environment_file" "vendor" {
  node_name    = "pve1"
  datastore_id = "local"
  content_type = "snippets"
  source_raw {
    file_name = "noble-vendor.yaml"
    data      = <<-EOT
      #cloud-config
      packages: [qemu-guest-agent]
      runcmd:
        - [systemctl, enable, --now, qemu-guest-agent]
    EOT
  }
}

resource "proxmox_virtual_environment_vm" "template" {
  node_name     = "pve1"
  vm_id         = var.template_id
  name          = "noble"
  template      = true
  started       = false
  on_boot       = false
  machine       = "q35"
  bios          = "ovmf"
  scsi_hardware = "virtio-scsi-single"
  boot_order    = ["scsi0"]

  operating_system { type = "l26" }
  cpu {
    cores = 2
    type  = "x86-64-v2-AES"
  }
  memory {
    dedicated = 2048
    floating  = 2048
  }
  efi_disk {
    datastore_id      = "local-lvm"
    type              = "4m"
    pre_enrolled_keys = true
  }
  tpm_state {
    datastore_id = "local-lvm"
    version      = "v2.0"
  }
  disk {
    interface    = "scsi0"
    datastore_id = "local-lvm"
    import_from  = proxmox_download_file.image.id
    size         = 10
    discard      = "on"
    ssd          = true
    iothread     = true
  }
  # Unstated, the node's own drive is attached and comes first in the boot order.
  cdrom {
    interface = "ide0"
    file_id   = "none"
  }
  network_device { bridge = "vmbr0" }
  serial_device {}
  initialization {
    datastore_id        = "local-lvm"
    interface           = "ide2"
    vendor_data_file_id = proxmox_virtual_environment_file.vendor.id
    user_account {
      username = "ubuntu"
      keys     = [var.ssh_public_key]
    }
    dns {
      servers = ["10.0.0.1"]
      domain  = "example.net"
    }
    ip_config {
      ipv4 { address = "dhcp" }
    }
  }
}

resource "proxmox_virtual_environment_vm" "clone" {
  for_each        = var.clones
  node_name       = "pve1"
  vm_id           = each.value.vm_id
  name            = each.key
  on_boot         = false
  machine         = "q35"
  bios            = "ovmf"
  scsi_hardware   = "virtio-scsi-single"
  boot_order      = ["scsi0"]
  stop_on_destroy = true

  clone {
    vm_id = proxmox_virtual_environment_vm.template.vm_id
    full  = false
  }
  agent { enabled = false }

  # The provider resets what is not said again.
  operating_system { type = "l26" }
  cpu {
    cores = 2
    type  = "x86-64-v2-AES"
  }
  memory {
    dedicated = 2048
    floating  = 2048
  }
  cdrom {
    interface = "ide0"
    file_id   = "none"
  }
  initialization {
    datastore_id        = "local-lvm"
    interface           = "ide2"
    vendor_data_file_id = proxmox_virtual_environment_file.vendor.id
    user_account {
      username = "ubuntu"
      keys     = [var.ssh_public_key]
    }
    dns {
      servers = ["10.0.0.1"]
      domain  = "example.net"
    }
    ip_config {
      ipv4 {
        address = each.value.address
        gateway = var.gateway
      }
    }
  }
}
