#include "monitor/memory/shadow.h"
#include "kernel/string.h"
#include "monitor/memory/watch.h"
#include "monitor/memory/page_walk.h"
#include "monitor/memory/guest_memory.h"
static struct shadow_setup s; static uint32_t used, slot; static uint64_t se[2]; static uint32_t flushes;
size_t shadow_storage_size(uint32_t page_count, uint64_t ram_size){(void)page_count;(void)ram_size;return 4096;}
static uint64_t *page(uint32_t n){return (uint64_t*)(void*)(s.pages+n*4096);}
static void clear(void){ memset(page(0),0,5*4096); used=5; for(int i=0;i<4;i++) page(0)[i]=(s.pages_machine+(1+i)*4096)|1;
 page(1+(slot>>30))[(slot>>21)%512]=se[0]; page(1+(slot>>30))[(slot>>21)%512+1]=se[1];}
void shadow_start(struct vm *vm, const struct shadow_setup *setup){(void)vm; s=*setup; clear();}
uint32_t shadow_root(struct vcpu *vcpu){ uint32_t sum=0,*w=(uint32_t*)(void*)vcpu->vm->watchers; for(uint32_t i=0;i<vcpu->vm->ram_size/4096/4;i++) sum=sum*31+w[i]; static uint32_t last; if(flushes!=vcpu->flushes||sum!=last){flushes=vcpu->flushes; last=sum; clear();} return (uint32_t)s.pages_machine;}
void shadow_set_slot(struct vm *vm, uint32_t base, const uint64_t e[2]){(void)vm; slot=base; se[0]=e[0]; se[1]=e[1]; clear();}
bool shadow_slot_is_wanted(struct vcpu *vcpu){(void)vcpu;return false;}
enum shadow_result shadow_fault(struct vcpu *vcpu, gva_t at, uint32_t access, uint32_t *error){
 struct page_walk f; if(!page_walk(vcpu,at,access,&f,error)) return SHADOW_TRUE_FAULT;
 if(at.value-slot<0x400000 || !guest_memory_page(vcpu->vm,f.page)) return SHADOW_EMULATE;
 if((access&PAGE_WALK_WRITE)&&(!f.writable||watch_is_watched(vcpu->vm,f.page))) return SHADOW_EMULATE;
 if(used>=s.page_count) clear();
 uint64_t *d=&page(1+(at.value>>30))[(at.value>>21)%512];
 if(!(*d&1)){ memset(page(used),0,4096); *d=(s.pages_machine+used*4096)|7; used++; }
 uint64_t *t=(uint64_t*)(void*)(s.pages+(uint32_t)((*d&0xFFFFF000)-s.pages_machine));
 t[(at.value>>12)%512]=(s.ram_machine+f.page.value)|1|(f.user?4:0)|(f.writable&&f.dirty&&!watch_is_watched(vcpu->vm,f.page)?2:0)|((!f.executable&&s.no_execute)?1ull<<63:0);
 return SHADOW_MAPPED;}
